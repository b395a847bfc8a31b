/**
 * Reads `config.json` of a store beside the copy that each workspace keeps of it, so that the one small file that all
 * depends on is not there only once. `snap repair` puts it back. SPEC.md "Store configuration".
 */
import { createHash } from 'node:crypto';
import { ensureFolder, readWhole, replaceFile } from '../disk/files.ts';
import { describing, errnoOf, hasCode, isUnreadable, SnapError } from '../errors.ts';
import type { Backend } from '../storage/backend.ts';
import type { Environment } from './environment.ts';
import { JOURNAL, STORE_CONFIG, WORKSPACE } from './layout.ts';
import type { StoreConfig } from './store-config.ts';
import { decodeStoreConfig } from './store-config.ts';

/** A line feed, the SHA-256 in hex, a line feed. */
const SEAL_BYTES = 66;

/** What is wrong with `config.json`, and what it was, if this workspace knows. */
export interface ConfigDamage {
  readonly error: SnapError;
  readonly copy: Buffer | undefined;
}

/** `folder`: the `.snap` folder. Throws `no-store`, `corrupt-data`, `unsupported-format`. */
export async function openStoreConfig(
  environment: Environment,
  folder: string,
  backend: Backend,
): Promise<StoreConfig> {
  const read = await examineStoreConfig(environment, folder, backend);
  if (!('error' in read)) return read;
  const { error, copy } = read;
  if (copy === undefined) throw error;
  throw new SnapError('corrupt-data', error.message, {
    hint: '`snap repair` puts it back from the copy that this workspace keeps. Packs and journal are not affected.',
    context: error.context,
    cause: error,
  });
}

/** The configuration, or what is wrong with it. Throws `no-store`, `unsupported-format`. */
export async function examineStoreConfig(
  environment: Environment,
  folder: string,
  backend: Backend,
): Promise<StoreConfig | ConfigDamage> {
  const path = `${backend.location}/${STORE_CONFIG}`;
  const copyPath = `${folder}/${WORKSPACE.storeConfig}`;
  const copyBytes = describing('reading', copyPath, () => readWhole(environment.disk, copyPath));
  const copy = copyBytes === undefined ? undefined : decodeCopy(copyBytes);
  const kept = copy === undefined ? undefined : decodeIfWhole(copy);
  let bytes: Buffer | undefined;
  try {
    bytes = await backend.get(STORE_CONFIG);
  } catch (error) {
    if (!isUnreadable(error) || !(error instanceof SnapError)) throw error;
    return { error: new SnapError('corrupt-data', error.message, { cause: error }), copy };
  }
  if (bytes === undefined) {
    if (copy === undefined || !(await hasJournal(backend)))
      throw new SnapError('no-store', `there is no store at ${backend.location}`, {
        hint: `Mount or move it back, or set store.path in ${folder}/${WORKSPACE.config}.`,
      });
    return { error: new SnapError('corrupt-data', `${path} is missing`), copy };
  }
  let config: StoreConfig;
  try {
    config = decodeStoreConfig(bytes, path);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    return { error, copy };
  }
  if (copy?.equals(bytes) === true) return config;
  if (kept?.id === config.id)
    return { error: new SnapError('corrupt-data', `${path} is not as this workspace has seen it`), copy };
  // The first time, or another store.
  keepCopy(environment, folder, copyPath, bytes);
  return config;
}

/** A command can do without: on a full or read-only disk the next one tries again. */
function keepCopy({ disk, uniqueName }: Environment, folder: string, path: string, bytes: Buffer): void {
  try {
    ensureFolder(disk, `${folder}/${WORKSPACE.temporary}`);
    replaceFile(disk, path, encodeCopy(bytes), `${folder}/${WORKSPACE.temporary}/${uniqueName()}`);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** With its SHA-256, so that a damaged copy is never taken for what the store should have. */
function encodeCopy(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.from(`\n${sha256(bytes)}\n`)]);
}

/** The bytes of `config.json` that a copy holds; undefined if it is damaged. */
export function decodeCopy(copy: Buffer): Buffer | undefined {
  const bytes = copy.subarray(0, Math.max(0, copy.length - SEAL_BYTES));
  return encodeCopy(bytes).equals(copy) ? bytes : undefined;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function decodeIfWhole(bytes: Buffer): StoreConfig | undefined {
  try {
    return decodeStoreConfig(bytes);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
    return undefined;
  }
}

async function hasJournal(backend: Backend): Promise<boolean> {
  for await (const _ of backend.list(JOURNAL)) return true;
  return false;
}
