/**
 * An open workspace: its settings, its store, its index and readers, held together and closed together. The verbs get
 * one of these. Only `publish` changes the store's state.
 */
import { Breath } from '../async/breath.ts';
import { ensureFolder, readWhole } from '../disk/files.ts';
import type { LockFile } from '../disk/lock-file.ts';
import { describing, errnoOf, fromSystemError, hasCode, SnapError } from '../errors.ts';
import type { BlobIndex, IndexChanges } from '../index/blob-index.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { PackId } from '../object/pack-id.ts';
import { snapshotRef } from '../object/ref-name.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntries, EMPTY_STATE } from '../object/store-state.ts';
import type { PackFooter } from '../pack/pack-format.ts';
import type { Backend } from '../storage/backend.ts';
import { fileBackend } from '../storage/file-backend.ts';
import { BlobReader } from './blob-reader.ts';
import type { Environment } from './environment.ts';
import type { Head } from './head.ts';
import { headAfter, readHead, writeHead } from './head.ts';
import type { EntryDraft, NumberedEntry } from './journal.ts';
import { appendEntry, readEntry, readState } from './journal.ts';
import { readKnownState } from './known-state.ts';
import { STORE_CONFIG, WORKSPACE } from './layout.ts';
import { isReadOnly, openIndex } from './open-index.ts';
import { ownedEnvironment } from './owned-environment.ts';
import { indexFromFooters, readPackFooter } from './pack-footers.ts';
import type { Settings } from './settings.ts';
import { parseSettings, textSetting } from './settings.ts';
import type { StoreConfig } from './store-config.ts';
import { decodeStoreConfig } from './store-config.ts';
import type { TreeReader } from './tree-reader.ts';
import { treeReader } from './tree-reader.ts';
import { lockWorkspace } from './workspace-lock.ts';

/** HEAD's journal number is written anew once others published this many entries. */
const HEAD_LAG_MAX = 64;

export interface Repository {
  readonly environment: Environment;
  /** Absolute path of the workspace, and of its `.snap` folder. */
  readonly root: string;
  readonly folder: string;
  readonly settings: Settings;
  readonly workspaceId: string;
  readonly workspaceName: string;
  readonly config: StoreConfig;
  readonly backend: Backend;
  readonly index: BlobIndex;
  readonly blobs: BlobReader;
  readonly trees: TreeReader;
  /** Lines for people about what opening had to mend. */
  readonly notices: readonly string[];
  /** What is wrong with the journal: the repository can be read, as far as it is known, and not changed. */
  readonly damage: SnapError | undefined;
  /** The store's state as far as this process knows. */
  state(): StoreState;
  head(): Head;
  setHead(snapshot: BlobId | null): void;
  /** Reads what others published; returns the new entries. */
  refresh(): Promise<NumberedEntry[]>;
  /**
   * Publishes a journal entry and then updates the index. `check` runs against entries that others published first,
   * before each new try; it may throw, and returns the draft to try next. This is the commit point.
   */
  publish(
    draft: EntryDraft,
    indexChanges: IndexChanges,
    check: (others: readonly NumberedEntry[]) => EntryDraft,
  ): Promise<NumberedEntry>;
  /** Takes the lock of commands that change the workspace. Throws `locked` naming its holder after `waitMs`. */
  lock(waitMs: number, waiting?: (who: string) => void): Promise<LockFile>;
  close(): Promise<void>;
}

/** Finds the workspace that `start` (absolute) lies in. Throws `no-workspace`. */
export function findWorkspace(environment: Environment, start: string): string {
  for (let path = start; ; path = path.slice(0, path.lastIndexOf('/'))) {
    if (isWorkspace(environment, path)) return path === '' ? '/' : path;
    if (path === '' || !path.includes('/')) break;
  }
  throw new SnapError('no-workspace', `${start} is not in a snap workspace`, {
    hint: 'Run `snap init` in the folder you want snapshots of, or name one with -C <dir>.',
  });
}

function isWorkspace({ disk }: Environment, path: string): boolean {
  try {
    return disk.lstat(`${path}/.snap/${WORKSPACE.config}`)?.isFile() === true;
  } catch (error) {
    // `-C` may name a file.
    if (errnoOf(error) !== 'ENOTDIR') throw error;
    return false;
  }
}

/**
 * Opens the workspace at `root`. Throws `no-store`, `corrupt-data`, `unsupported-format`, `usage` for bad settings.
 * `storage`: where its store is, if that is no local folder. `signal` stops whatever reads trees.
 */
export async function openRepository(
  outside: Environment,
  root: string,
  storage?: Backend,
  signal?: AbortSignal,
): Promise<Repository> {
  const folder = root === '/' ? '/.snap' : `${root}/.snap`;
  const configPath = `${folder}/${WORKSPACE.config}`;
  const settings = parseSettings(readText(outside, configPath), configPath);
  const storePath = resolvePath(root, textSetting(settings, 'store.path') ?? '.snap/store');
  const environment = ownedEnvironment(outside, [folder, storePath]);
  const { disk } = environment;
  const backend = storage ?? fileBackend(disk, storePath, environment.uniqueName);
  const configBytes = await backend.get(STORE_CONFIG);
  if (configBytes === undefined) {
    throw new SnapError('no-store', `there is no store at ${storePath}`, {
      hint: `Mount or move it back, or set store.path in ${configPath}.`,
    });
  }
  const config = decodeStoreConfig(configBytes, `${storePath}/${STORE_CONFIG}`);
  const temporary = `${folder}/${WORKSPACE.temporary}`;
  whereWritable(() => describing('creating', temporary, () => ensureFolder(disk, temporary)));
  const opened = await openIndex(environment, folder, config.id);
  try {
    return await assemble(environment, root, folder, settings, config, backend, opened, signal);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function assemble(
  environment: Environment,
  root: string,
  folder: string,
  settings: Settings,
  config: StoreConfig,
  backend: Backend,
  opened: Awaited<ReturnType<typeof openIndex>>,
  signal: AbortSignal | undefined,
): Promise<Repository> {
  const workspaceId = textSetting(settings, 'workspace.id') ?? '';
  let head = readHead(environment.disk, folder);
  const stored = opened.index === 'locked' ? undefined : opened.index;
  const known = await readKnownState(backend, stored?.state ?? EMPTY_STATE, head.journalNumber);
  const { damage } = known;
  let { state } = known;
  const index = stored ?? (await indexFromFooters(backend, state));
  if (damage === undefined) await catchUp(backend, index, known.from, known.entries, state);
  else if (index.state.number === 0) await catchUp(backend, index, state, [], state);
  if (damage === undefined) head = await catchUpHead(environment, folder, workspaceId, backend, state);
  const blobs = new BlobReader(backend, index, () => state, new Breath(environment.elapsed, signal));
  return {
    environment,
    root,
    folder,
    settings,
    workspaceId,
    workspaceName: textSetting(settings, 'workspace.name') ?? root.slice(root.lastIndexOf('/') + 1),
    config,
    backend,
    index,
    blobs,
    trees: treeReader(blobs),
    notices: opened.notice === undefined ? [] : [opened.notice],
    damage,
    state: () => state,
    head: () => head,
    setHead: (snapshot) => {
      head = { snapshot, journalNumber: state.number };
      writeHead(environment.disk, folder, head, environment.uniqueName());
    },
    refresh: async () => {
      if (damage !== undefined) throw damage;
      const read = await readState(backend, state);
      await catchUp(backend, index, state, read.entries, read.state);
      state = read.state;
      // Who waited for another command here must not go on from where that one began.
      head = await catchUpHead(environment, folder, workspaceId, backend, state);
      return read.entries;
    },
    publish: async (draft, indexChanges, check) => {
      if (damage !== undefined) throw damage;
      let attempt = draft;
      for (;;) {
        const result = await appendEntry(backend, environment, state, attempt);
        if (!('conflict' in result)) {
          state = result.state;
          await index.write({ ...indexChanges, state });
          return result.published;
        }
        const next = applyEntries(state, result.conflict);
        await catchUp(backend, index, state, result.conflict, next);
        state = next;
        attempt = check(result.conflict);
      }
    },
    lock: (waitMs, waiting) => lockWorkspace(environment, folder, waitMs, waiting),
    close: () => opened.close(),
  };
}

/** Brings an index up to `state`: blobs of packs that were added, out with those that were swept. */
async function catchUp(
  backend: Backend,
  index: BlobIndex,
  from: StoreState,
  entries: readonly NumberedEntry[],
  state: StoreState,
): Promise<void> {
  if (index.state.number === state.number && index.state.hash === state.hash) return;
  const followed = index.state.number === from.number && index.state.hash === from.hash;
  const added = followed ? entries.flatMap(({ entry }) => entry.packs.map((pack) => pack.id)) : [...state.packs.keys()];
  const packs: { id: PackId; footer: PackFooter }[] = [];
  for (const id of added) {
    if (!state.packs.has(id)) continue;
    try {
      packs.push({ id, footer: await readPackFooter(backend, state, id) });
    } catch (error) {
      // A damaged pack costs the blobs in it, not the command: who needs one of them gets the error.
      if (!hasCode(error, 'corrupt-data')) throw error;
    }
  }
  const removedPacks = followed ? entries.flatMap(({ entry }) => entry.swept) : [];
  await index.write({ packs, removedPacks, state });
}

/**
 * A commit that died between its journal entry and HEAD is finished here. A snapshot that never was, as a flipped bit of
 * HEAD gives, is found again from the whole journal, as if the file were missing.
 */
async function catchUpHead(
  environment: Environment,
  folder: string,
  workspaceId: string,
  backend: Backend,
  state: StoreState,
): Promise<Head> {
  const head = readHead(environment.disk, folder);
  let { snapshot } = head;
  const isKnown = snapshot === null || state.refs.has(snapshotRef(snapshot)) || state.grafts.has(snapshot);
  for (let number = isKnown ? head.journalNumber + 1 : 1; number <= state.number; number++) {
    const next = await readEntry(backend, number);
    if (next !== undefined) snapshot = headAfter(snapshot, next.entry, workspaceId);
  }
  const caughtUp = { snapshot, journalNumber: Math.max(state.number, head.journalNumber) };
  if (snapshot !== head.snapshot || state.number - head.journalNumber > HEAD_LAG_MAX)
    whereWritable(() => writeHead(environment.disk, folder, caughtUp, environment.uniqueName()));
  return caughtUp;
}

/** Housekeeping that a read-only workspace can do without: reading commands work there too. */
function whereWritable(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isReadOnly(error)) throw error;
  }
}

function readText(environment: Environment, path: string): string {
  try {
    const bytes = readWhole(environment.disk, path);
    if (bytes !== undefined) return bytes.toString('utf8');
  } catch (error) {
    throw fromSystemError(error, 'reading', path);
  }
  throw new SnapError('no-workspace', `${path} is missing`, {
    hint: 'Run `snap init` in the folder you want snapshots of.',
  });
}

function resolvePath(root: string, path: string): string {
  return path.startsWith('/') ? path : `${root}/${path}`;
}
