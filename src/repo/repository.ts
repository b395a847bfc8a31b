/**
 * An open workspace: its settings, its store, its index and readers, held together and closed together. The verbs get
 * one of these. Only `publish` changes the store's state.
 */
import { Breath } from '../async/breath.ts';
import { shellWord } from '../bytes/printable.ts';
import { ensureFolder } from '../disk/files.ts';
import type { LockFile } from '../disk/lock-file.ts';
import { describing, errnoOf, fromSystemError, SnapError } from '../errors.ts';
import type { BlobIndex, IndexChanges } from '../index/blob-index.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { applyEntries, EMPTY_STATE } from '../object/store-state.ts';
import type { Backend } from '../storage/backend.ts';
import { fileBackend } from '../storage/file-backend.ts';
import { BlobReader } from './blob-reader.ts';
import { catchUp, catchUpHead, whereWritable } from './catch-up.ts';
import type { Environment } from './environment.ts';
import type { Head } from './head.ts';
import { readHead, writeHead } from './head.ts';
import type { EntryDraft, NumberedEntry } from './journal.ts';
import { appendEntry } from './journal.ts';
import { readState } from './journal-base.ts';
import { readKnownState } from './known-state.ts';
import { snapFolder, WORKSPACE } from './layout.ts';
import { openIndex } from './open-index.ts';
import { openStoreConfig } from './open-store-config.ts';
import { ownedEnvironment } from './owned-environment.ts';
import { indexFromFooters } from './pack-footers.ts';
import { noteOrRefuse, storePathOf } from './place.ts';
import type { Settings } from './settings.ts';
import { parseSettings, textSetting, workspaceIdOf } from './settings.ts';
import { readSettingsText } from './settings-file.ts';
import type { StoreConfig } from './store-config.ts';
import type { TreeReader } from './tree-reader.ts';
import { treeReader } from './tree-reader.ts';
import { lockWorkspace } from './workspace-lock.ts';

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
  /** The error for changes, if this is a copy of another workspace of the store: it can be read. */
  readonly copyOf: SnapError | undefined;
  /** A repair has brought the journal to this state: there is no damage any more. */
  recover(mended: StoreState): Promise<void>;
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
  /** Takes the lock of commands that change the workspace. Throws `locked` naming its holder after `waitMs`, `refused` in a copy. */
  lock(waitMs: number, waiting?: (who: string) => void): Promise<LockFile>;
  close(): Promise<void>;
}

/** Finds the workspace that `start` (absolute) lies in. Throws `no-workspace`. */
export function findWorkspace(environment: Environment, start: string): string {
  let former: string | undefined;
  for (let path = start; ; path = path.slice(0, path.lastIndexOf('/'))) {
    if (hasInSnap(environment, path, WORKSPACE.config)) return path === '' ? '/' : path;
    if (hasInSnap(environment, path, WORKSPACE.storeConfig)) former ??= path === '' ? '/' : path;
    if (path === '' || !path.includes('/')) break;
  }
  if (former !== undefined)
    throw new SnapError('no-workspace', `the workspace ${former} has lost its .snap/${WORKSPACE.config}`, {
      hint: `Run \`snap init ${shellWord(former)}\`: it makes it again with its history, or says what that needs.`,
    });
  throw new SnapError('no-workspace', `${start} is not in a snap workspace`, {
    hint: 'Run `snap init` in the folder you want snapshots of, or name one with -C <dir>.',
  });
}

function hasInSnap({ disk }: Environment, path: string, name: string): boolean {
  try {
    return disk.lstat(`${path}/.snap/${name}`)?.isFile() === true;
  } catch (error) {
    // `-C` may name a file.
    if (errnoOf(error) !== 'ENOTDIR') throw fromSystemError(error, 'reading', `${path}/.snap`);
    return false;
  }
}

/** Where the parts of a workspace lie. */
export interface Located {
  readonly environment: Environment;
  /** The `.snap` folder. */
  readonly folder: string;
  readonly settings: Settings;
  readonly backend: Backend;
}

/** Finds the store of the workspace at `root`, unless `storage` is it. Throws `no-workspace`, `usage` for bad settings. */
export function locate(outside: Environment, root: string, storage?: Backend): Located {
  const folder = snapFolder(root);
  const configPath = `${folder}/${WORKSPACE.config}`;
  const settings = parseSettings(readText(outside, configPath), configPath);
  const storePath = storePathOf(root, settings);
  const environment = ownedEnvironment(outside, [folder, storePath]);
  const { disk, uniqueName } = environment;
  const temporary = `${folder}/${WORKSPACE.temporary}`;
  whereWritable(() => describing('creating', temporary, () => ensureFolder(disk, temporary)));
  return { environment, folder, settings, backend: storage ?? fileBackend(disk, storePath, uniqueName) };
}

export interface OpenRepositoryOptions {
  /** Where its store is, if that is no local folder. */
  readonly storage?: Backend;
  /** Stops whatever reads trees or waits for the lock. */
  readonly signal?: AbortSignal;
  /** How long to wait for another command that has the index. Default: not at all. */
  readonly indexWaitMs?: number;
}

/**
 * Opens the workspace at `root`. Throws `no-store`, `corrupt-data`, `unsupported-format`, `usage` for bad settings.
 */
export async function openRepository(
  outside: Environment,
  root: string,
  { storage, signal, indexWaitMs }: OpenRepositoryOptions = {},
): Promise<Repository> {
  const located = locate(outside, root, storage);
  const { environment, folder } = located;
  const config = await openStoreConfig(environment, folder, located.backend);
  const copyOf = storage === undefined ? noteOrRefuse(environment, root, located.settings) : undefined;
  const opened = await openIndex(environment, folder, config.id, indexWaitMs);
  try {
    return await assemble(located, root, config, opened, copyOf, signal);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function assemble(
  located: Located,
  root: string,
  config: StoreConfig,
  opened: Awaited<ReturnType<typeof openIndex>>,
  copyOf: SnapError | undefined,
  signal: AbortSignal | undefined,
): Promise<Repository> {
  const { environment, folder, settings, backend } = located;
  const notices = [opened.notice, copyOf?.message].filter((notice) => notice !== undefined);
  const workspaceId = workspaceIdOf(settings, `${folder}/${WORKSPACE.config}`);
  const stored = opened.index === 'locked' ? undefined : opened.index;
  const moving = await followStore(located, workspaceId, stored, notices, copyOf);
  const { index } = moving;
  const blobs = new BlobReader(backend, index, moving.state, new Breath(environment.elapsed, signal));
  return {
    ...moving,
    // It goes when the journal is mended.
    get damage() {
      return moving.damage;
    },
    environment,
    root,
    folder,
    settings,
    workspaceId,
    workspaceName: textSetting(settings, 'workspace.name') ?? root.slice(root.lastIndexOf('/') + 1),
    config,
    backend,
    blobs,
    trees: treeReader(blobs),
    notices,
    copyOf,
    lock: async (waitMs, waiting) => {
      if (copyOf !== undefined) throw copyOf;
      return lockWorkspace(environment, folder, waitMs, waiting, signal);
    },
    close: () => opened.close(),
  };
}

type Moving = Pick<Repository, 'index' | 'damage' | 'recover' | 'state' | 'head' | 'setHead' | 'refresh' | 'publish'>;

/** What changes with the journal: the state, HEAD, and the index, which is made in memory if `stored` is undefined. */
async function followStore(
  { environment, folder, backend }: Located,
  workspaceId: string,
  stored: BlobIndex | undefined,
  notices: string[],
  copyOf: SnapError | undefined,
): Promise<Moving> {
  let head = readHead(environment.disk, folder);
  if (head.isDamaged) notices.push('HEAD was damaged: where the workspace is was found again from the journal');
  const known = await readKnownState(backend, stored?.state ?? EMPTY_STATE, head);
  let { state, damage } = known;
  // Nothing is remembered of a damaged journal: what was made of it must not witness for it later.
  const isNew = stored === undefined || (damage !== undefined && stored.state.number === 0);
  const index = isNew ? await indexFromFooters(backend, state) : stored;
  const goOn = async (from: StoreState, entries: readonly NumberedEntry[], to: StoreState): Promise<void> => {
    await catchUp(backend, index, from, entries, to);
    state = to;
  };
  const followHead = async (): Promise<void> => {
    // The entries with its id are those of the other one.
    if (copyOf !== undefined) return;
    head = await catchUpHead(environment, folder, workspaceId, backend, state);
  };
  const setHead = (snapshot: BlobId | null): void => {
    head = { snapshot, journalNumber: state.number, journalHash: state.hash ?? undefined };
    writeHead(environment.disk, folder, head, environment.uniqueName());
  };
  if (damage === undefined) {
    await goOn(known.from, known.entries, state);
    await followHead();
  }
  return {
    index,
    get damage() {
      return damage;
    },
    recover: async (mended) => {
      await goOn(mended, [], mended);
      damage = undefined;
      await followHead();
      setHead(head.snapshot);
    },
    state: () => state,
    head: () => head,
    setHead,
    refresh: async () => {
      if (damage !== undefined) throw damage;
      const read = await readState(backend, state);
      await goOn(read.from, read.entries, read.state);
      // Who waited for another command here must not go on from where that one began.
      await followHead();
      return read.entries;
    },
    publish: async (draft, indexChanges, check) => {
      if (copyOf !== undefined) throw copyOf;
      if (damage !== undefined) throw damage;
      for (let attempt = draft; ; ) {
        const result = await appendEntry(backend, environment, state, attempt);
        if (!('conflict' in result)) {
          state = result.state;
          await index.write({ ...indexChanges, state });
          return result.published;
        }
        await goOn(state, result.conflict, applyEntries(state, result.conflict));
        attempt = check(result.conflict);
      }
    },
  };
}

function readText(environment: Environment, path: string): string {
  try {
    const text = readSettingsText(environment.disk, path);
    if (text !== undefined) return text;
  } catch (error) {
    throw fromSystemError(error, 'reading', path);
  }
  throw new SnapError('no-workspace', `${path} is missing`, {
    hint: 'Run `snap init` in the folder you want snapshots of.',
  });
}
