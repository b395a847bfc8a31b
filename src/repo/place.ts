/**
 * Where a workspace is, and its store. A copied folder whose store lies elsewhere has the id of the first one: commits of each would move
 * the HEAD of the other, and gc would keep one of them. So a workspace notes its place, and one that finds the workspace
 * of its id still there, in the same store, is a copy. SPEC.md "Copied folders".
 */
import { decodeCanonicalJson, encodeCanonicalJson } from '../bytes/canonical-json.ts';
import { Fields } from '../bytes/fields.ts';
import type { Disk } from '../disk/disk.ts';
import { readRegular, replaceFile } from '../disk/files.ts';
import { realPath } from '../disk/real-path.ts';
import { errnoOf, SnapError } from '../errors.ts';
import type { Environment } from './environment.ts';
import { isWithin, snapFolder, WORKSPACE } from './layout.ts';
import type { Settings } from './settings.ts';
import { parseSettings, textSetting } from './settings.ts';

/** The absolute path that `store.path` names. */
export function storePathOf(root: string, settings: Settings): string {
  const path = textSetting(settings, 'store.path') ?? '.snap/store';
  return path.startsWith('/') ? path : `${root}/${path}`;
}

/** True if a copy of the workspace's folder has the same store. */
export function isStoreElsewhere(disk: Disk, root: string, settings: Settings): boolean {
  return !isWithin(realPath(disk, storePathOf(root, settings)), realPath(disk, snapFolder(root)));
}

export interface Place {
  /** All links followed. */
  readonly root: string;
  /** Where its store is, all links followed, and its id; undefined in files of earlier versions. */
  readonly store: string | undefined;
  readonly workspace: string | undefined;
}

/** The error for everything that changes the store, if the workspace at `root` is a copy; else its place is noted. */
export function noteOrRefuse(environment: Environment, root: string, settings: Settings): SnapError | undefined {
  const { disk } = environment;
  try {
    if (!isStoreElsewhere(disk, root, settings)) return undefined;
    const noted = readPlace(disk, root);
    const here = placeOf(disk, root, storePathOf(root, settings), textSetting(settings, 'workspace.id'));
    if (noted !== undefined && noted.root !== here.root && isSameWorkspace(disk, root, settings, noted.root))
      return copyOf(root, noted.root);
    if (noted?.root !== here.root || noted.store !== here.store || noted.workspace !== here.workspace)
      writePlace(environment, here);
  } catch (error) {
    // Housekeeping: on a full or read-only disk the next command tries again.
    if (errnoOf(error) === undefined) throw error;
  }
  return undefined;
}

/** Notes, durably, where a workspace is and what it is. Throws the system's errors. */
export function notePlace(environment: Environment, root: string, store: string, workspace: string): void {
  writePlace(environment, placeOf(environment.disk, root, store, workspace));
}

function placeOf(disk: Disk, root: string, store: string, workspace: string | undefined): Place {
  return { root: realPath(disk, root), store: realPath(disk, store), workspace };
}

function writePlace({ disk, uniqueName }: Environment, { root, store, workspace }: Place): void {
  const folder = snapFolder(root);
  const known = { ...(store === undefined ? {} : { store }), ...(workspace === undefined ? {} : { workspace }) };
  const bytes = encodeCanonicalJson({ format: 1, root, ...known });
  replaceFile(disk, `${folder}/${WORKSPACE.place}`, bytes, `${folder}/${WORKSPACE.temporary}/${uniqueName()}`);
}

function copyOf(root: string, original: string): SnapError {
  return new SnapError('refused', `${root} is a copy of the workspace ${original}, and in the same store`, {
    hint:
      'It can be read. `snap init --separate` here makes it a workspace of its own, with the same HEAD; if the other one ' +
      'is not used any more, remove its .snap folder instead.',
    context: { original },
  });
}

/** What the workspace at `root` noted last; undefined for nothing, or what cannot be read: then it is noted anew. */
export function readPlace(disk: Disk, root: string): Place | undefined {
  const path = `${snapFolder(root)}/${WORKSPACE.place}`;
  const bytes = readRegular(disk, path);
  if (bytes === undefined) return undefined;
  try {
    const fields = new Fields(decodeCanonicalJson(bytes, path), path);
    return {
      root: fields.text('root'),
      store: fields.has('store') ? fields.text('store') : undefined,
      workspace: fields.has('workspace') ? fields.randomId('workspace') : undefined,
    };
  } catch (error) {
    if (!(error instanceof SnapError)) throw error;
    return undefined;
  }
}

/** True if another folder than that of `root` holds the same workspace, of the same store. */
function isSameWorkspace(disk: Disk, root: string, settings: Settings, noted: string): boolean {
  try {
    const own = disk.lstat(snapFolder(root));
    const other = disk.lstat(snapFolder(noted));
    // It may be seen under another path, as in a container.
    if (other === undefined || (other.dev === own?.dev && other.ino === own.ino)) return false;
    const path = `${snapFolder(noted)}/${WORKSPACE.config}`;
    const bytes = readRegular(disk, path);
    if (bytes === undefined) return false;
    const found = parseSettings(bytes.toString('utf8'), path);
    const id = textSetting(settings, 'workspace.id');
    if (id === undefined || textSetting(found, 'workspace.id') !== id) return false;
    return realPath(disk, storePathOf(noted, found)) === realPath(disk, storePathOf(root, settings));
  } catch (error) {
    if (!(error instanceof SnapError) && errnoOf(error) === undefined) throw error;
    return false;
  }
}
