/**
 * Makes a workspace, and its store if there is none where it is to be.
 */

import { defaultChunkParams } from '../chunk/chunk-params.ts';
import { createOnce, ensureFolder, folderOf } from '../disk/files.ts';
import { fromSystemError, hasCode, SnapError } from '../errors.ts';
import { EMPTY_STATE, hasSnapshot } from '../object/store-state.ts';
import type { Backend } from '../storage/backend.ts';
import { fileBackend } from '../storage/file-backend.ts';
import type { Environment } from './environment.ts';
import type { FormerWorkspace } from './former-workspace.ts';
import { formerId, lastUser, readFormer, requireItsStore } from './former-workspace.ts';
import { appendEntry } from './journal.ts';
import { readState } from './journal-base.ts';
import { IGNORE_FILE, isWithin, STORE_CONFIG, storeInside, WORKSPACE } from './layout.ts';
import { ownedEnvironment } from './owned-environment.ts';
import { notePlace } from './place.ts';
import { findWorkspace } from './repository.ts';
import { announceHead } from './separate.ts';
import { tomlValue } from './settings-text.ts';
import { DEFAULT_PACK_BYTES, decodeStoreConfig, encodeStoreConfig } from './store-config.ts';
import { workspaceNameFor } from './workspace-name.ts';

export interface InitOptions {
  /** Absolute path of the folder; created if missing. */
  readonly root: string;
  /** Absolute path of a store that several workspaces share; undefined: `.snap/store`. */
  readonly store: string | undefined;
  readonly name: string | undefined;
  /** Allow a workspace inside another one. */
  readonly nested: boolean;
}

export interface InitResult {
  readonly root: string;
  readonly store: string;
  /** True if the store was there already and is shared now. */
  readonly joined: boolean;
  /**
   * `former`: a workspace that had lost its settings is the one again that it was. `unknown`: it was one of this store's,
   * but which cannot be known for sure; it has a new id and the HEAD that it had.
   */
  readonly identity: 'new' | 'former' | 'unknown';
  /** Patterns written to a new `.snapignore`; undefined if one was there. */
  readonly ignored: readonly string[] | undefined;
}

/**
 * Makes `options.root` a workspace, or again the one that it was before its settings were lost. Throws `exists`,
 * `refused` (also where it was a workspace of another store), `corrupt-data`, `permission`, `unsupported-format`.
 */
export async function initWorkspace(outside: Environment, options: InitOptions): Promise<InitResult> {
  const { root } = options;
  const folder = `${root}/.snap`;
  const environment = ownedEnvironment(outside, [folder, ...(options.store === undefined ? [] : [options.store])]);
  const { disk } = environment;
  if (disk.lstat(`${folder}/${WORKSPACE.config}`) !== undefined) {
    throw new SnapError('exists', `${root} is a workspace already`, {
      hint: 'Run `snap status` or `snap commit` there.',
    });
  }
  refuseNested(environment, options);
  if (options.store !== undefined) {
    refuseStorePath(options.store);
    refuseStoreInside(options.store, root, folder);
    refuseStoreNested(environment, options.store, options.nested);
  }
  const store = options.store ?? `${folder}/${WORKSPACE.store}`;
  try {
    const hasOwnStore = options.store === undefined && disk.lstat(store) !== undefined;
    const former = hasOwnStore ? undefined : readFormer(disk, root);
    const backend = fileBackend(disk, store, environment.uniqueName);
    if (former !== undefined) await requireItsStore(former, options.store === undefined ? undefined : backend);
    ensureFolder(disk, root);
    ensureFolder(disk, folder, 0o700);
    ensureFolder(disk, `${folder}/${WORKSPACE.temporary}`);
    hideFromGit(environment, folder);
    const joined = await openOrCreateStore(environment, store);
    const ignored = writeIgnoreFile(environment, root);
    const { id, identity } = await identify(environment, backend, joined && hasOwnStore, former);
    const config = configText(options, root, id);
    if (
      !createOnce(
        disk,
        `${folder}/${WORKSPACE.config}`,
        Buffer.from(config),
        `${folder}/${WORKSPACE.temporary}/${environment.uniqueName()}`,
      )
    ) {
      throw new SnapError('exists', `${root} is a workspace already`, {
        hint: 'Run `snap status` or `snap commit` there.',
      });
    }
    // What a former one has noted says whether it is a copy: the next command looks.
    if (options.store !== undefined && identity !== 'former') notePlace(environment, root, store, id);
    return { root, store, joined, identity, ignored };
  } catch (error) {
    throw fromSystemError(error, 'creating', folder);
  }
}

/** Else `git clean -fd` and `git stash -u` would remove the history, and `git add -A` would take it in. */
function hideFromGit({ disk, uniqueName }: Environment, folder: string): void {
  const lines = '# What snap keeps is not for Git: with this, `git clean` and `git stash -u` leave it alone.\n*\n';
  createOnce(
    disk,
    `${folder}/.gitignore`,
    Buffer.from(lines),
    `${folder}/${WORKSPACE.temporary}/${uniqueName()}`,
    0o644,
  );
}

function refuseNested(environment: Environment, options: InitOptions): void {
  const outer = options.nested ? undefined : outerWorkspace(environment, options.root);
  if (outer === undefined) return;
  throw new SnapError('refused', `${options.root} lies inside the workspace ${outer}`, {
    hint: "Use that one, or pass --nested: the outer workspace then leaves this folder's .snap alone.",
  });
}

/** In another workspace, but for its `.snap`, it would be among the files of that one. */
function refuseStoreNested(environment: Environment, store: string, nested: boolean): void {
  const outer = outerWorkspace(environment, folderOf(store));
  if (nested || outer === undefined || storeInside(outer, store) === undefined) return;
  throw new SnapError('refused', `the store ${store} would lie inside the workspace ${outer}`, {
    hint: 'Name a folder outside of it, or pass --nested: the outer workspace then leaves the store alone.',
  });
}

function outerWorkspace(environment: Environment, path: string): string | undefined {
  try {
    return findWorkspace(environment, path);
  } catch (error) {
    if (hasCode(error, 'no-workspace')) return undefined;
    throw error;
  }
}

/** The id that the workspace is to have, and which that is. One that was not known for sure is told to the store. */
async function identify(
  environment: Environment,
  backend: Backend,
  isOwnStore: boolean,
  former: FormerWorkspace | undefined,
): Promise<{ id: string; identity: InitResult['identity'] }> {
  const known = isOwnStore ? await lastUser(backend) : former && (await formerId(former, backend));
  if (known !== undefined) return { id: known, identity: 'former' };
  const id = environment.uniqueName();
  const head = former?.head.snapshot ?? null;
  if (former === undefined) return { id, identity: 'new' };
  if (head !== null)
    await announceHead(environment, backend, id, async () => {
      const { state } = await readState(backend);
      return { state, head: hasSnapshot(state, head) ? head : null };
    });
  return { id, identity: 'unknown' };
}

/** The settings, which name the store, are Unicode text. */
function refuseStorePath(store: string): void {
  if (store.isWellFormed()) return;
  throw new SnapError('usage', `the path of the store ${store} is not UTF-8, and cannot be written into the settings`, {
    hint: 'Name another folder, or a link to this one whose path is UTF-8.',
  });
}

/** A store that lies in what it holds snapshots of would be taken into them, and removed by a checkout. */
function refuseStoreInside(store: string, root: string, folder: string): void {
  if (isWithin(store, folder) && store !== folder) return;
  if (isWithin(store, root))
    throw new SnapError('refused', `the store ${store} would lie inside ${root}, which it is to hold snapshots of`, {
      hint: 'Name a folder outside of it, or leave --store out: then the store is in .snap.',
    });
  if (isWithin(root, store))
    throw new SnapError('refused', `${root} lies inside the store ${store}`, { hint: 'Name another folder.' });
}

async function openOrCreateStore(environment: Environment, store: string): Promise<boolean> {
  ensureFolder(environment.disk, store, 0o700);
  const backend = fileBackend(environment.disk, store, environment.uniqueName);
  const existing = await backend.get(STORE_CONFIG);
  if (existing !== undefined) {
    decodeStoreConfig(existing);
    return true;
  }
  if (environment.disk.list(store).some((name) => name !== 'tmp')) {
    throw new SnapError('refused', `${store} is not empty and not a store`, {
      hint: 'Name an empty or new folder with --store.',
    });
  }
  const config = { id: environment.uniqueName(), chunker: defaultChunkParams, packBytes: DEFAULT_PACK_BYTES };
  if (!(await backend.putIfAbsent(STORE_CONFIG, encodeStoreConfig(config)))) return true;
  await appendEntry(backend, environment, EMPTY_STATE, { operation: 'init', note: 'store created' });
  return false;
}

/** What projects of many kinds have and few want in snapshots; proposed only where it is there. */
const PROPOSALS: readonly { readonly name: string; readonly pattern: string; readonly why: string }[] = [
  { name: 'node_modules', pattern: 'node_modules/', why: 'packages that npm installs again' },
  { name: '.venv', pattern: '.venv/', why: 'a Python environment that can be made again' },
  { name: 'venv', pattern: 'venv/', why: 'a Python environment that can be made again' },
  { name: '__pycache__', pattern: '__pycache__/', why: 'compiled Python' },
  { name: 'target', pattern: 'target/', why: 'build output of Rust or Java' },
  { name: 'build', pattern: 'build/', why: 'build output' },
  { name: 'dist', pattern: 'dist/', why: 'build output' },
  { name: '.next', pattern: '.next/', why: 'build output' },
  { name: '.cache', pattern: '.cache/', why: 'a cache' },
  { name: '.gradle', pattern: '.gradle/', why: 'a cache' },
  { name: '.tox', pattern: '.tox/', why: 'a cache' },
  { name: '.git', pattern: '.git/', why: 'the history that Git keeps itself' },
  { name: '.DS_Store', pattern: '.DS_Store', why: 'made by macOS' },
];

function writeIgnoreFile(environment: Environment, root: string): readonly string[] | undefined {
  const { disk } = environment;
  const path = `${root}/${IGNORE_FILE}`;
  if (disk.lstat(path) !== undefined) return undefined;
  const there = new Set(disk.list(root));
  const found = PROPOSALS.filter((proposal) => there.has(proposal.name));
  const lines = [
    '# What snap leaves out of snapshots: the rules of .gitignore, in this folder and those below it.',
    '# "!pattern" takes something in again; `snap status --ignored` and `snap check-ignore <path>` explain.',
    '',
    ...found.flatMap((proposal) => [`# ${proposal.why}`, proposal.pattern]),
    ...(found.length === 0 ? ['# node_modules/', '# .venv/', '# target/', '# *.log'] : []),
    '',
  ];
  createOnce(
    disk,
    path,
    Buffer.from(lines.join('\n')),
    `${root}/.snap/${WORKSPACE.temporary}/${environment.uniqueName()}`,
    0o666,
  );
  return found.map((proposal) => proposal.pattern);
}

function configText(options: InitOptions, root: string, id: string): string {
  return `# Settings of this workspace. \`snap config list --all\` shows every key there is.

[workspace]
id = "${id}"
name = ${tomlValue(workspaceNameFor(root, options.name))}

[store]
path = ${tomlValue(options.store ?? '.snap/store')}

[commit]
# compression = "balanced"   # off, fast, balanced or max

[gc]
# Without rules nothing is pruned. For example:
# keep-last = 10
# keep-daily = 7
# keep-weekly = 4
`;
}
