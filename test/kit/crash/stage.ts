/**
 * Where a crash scenario plays: workspaces in one folder, on a disk that writes down what is done, and what each
 * acknowledged snapshot must give back.
 */
import { createHash } from 'node:crypto';
import {
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { commit } from '../../../src/api/commit.ts';
import type { Workspace } from '../../../src/api/workspace.ts';
import { openWorkspaceIn } from '../../../src/api/workspace.ts';
import type { Disk } from '../../../src/disk/disk.ts';
import { OPEN, realDisk } from '../../../src/disk/disk.ts';
import { ensureFolder, folderOf } from '../../../src/disk/files.ts';
import { writeFully } from '../../../src/disk/whole-calls.ts';
import { processEnvironment } from '../../../src/environment.ts';
import type { BlobId } from '../../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../../src/object/blob-id.ts';
import { ENTRY_KIND } from '../../../src/object/tree-entry.ts';
import type { Environment } from '../../../src/repo/environment.ts';
import type { Repository } from '../../../src/repo/repository.ts';
import { decodeStoreConfig, encodeStoreConfig } from '../../../src/repo/store-config.ts';
import { walkTree } from '../../../src/repo/tree-diff.ts';
import { dyingDisk } from './dying-disk.ts';
import { checkIndex } from './index-checker.ts';
import { inlineWorkers } from './inline-workers.ts';
import type { Trace } from './traced-disk.ts';
import { traceDisk } from './traced-disk.ts';

/** Path to SHA-1 of its bytes, to "link: target", or "folder". */
export type Picture = ReadonlyMap<string, string>;

/** LevelDB writes by itself: its folder is not in the model. */
export const isIndex = (path: string): boolean => /(^|\/)\.snap\/index(\/|$)/.test(path);

/** The environment of a process that is dead by now, on this disk. */
export function deadEnvironment(disk: Disk): Environment {
  const environment = processEnvironment('snap test');
  return { ...environment, disk, checkIndex, holder: { ...environment.holder, pid: 4_194_303, startTime: 'long ago' } };
}

const OVERWRITE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;

export class Stage {
  /** Everything is below this folder; the first workspace is `work`. */
  readonly root: string;
  readonly pictures = new Map<string, Picture>();
  /** Snapshots that the scenario prunes: from its first operation on they may be gone. */
  readonly mayGo = new Set<string>();
  #trace: Trace | undefined;
  #dying: Disk | undefined;

  constructor(root: string) {
    this.root = root;
    mkdirSync(root, { recursive: true });
  }

  get disk(): Disk {
    return this.#dying ?? this.#trace?.disk ?? realDisk;
  }

  startTrace(): Trace {
    this.#trace = traceDisk(this.root, isIndex);
    return this.#trace;
  }

  /** Does something as a process that dies at the `n`-th rename within a folder that is checked out into. */
  async dying(n: number, act: (stage: Stage) => Promise<void>): Promise<void> {
    let left = n;
    const { disk, isDead } = dyingDisk(this.disk, (call, [, to]) => {
      if (call === 'rename' && String(to).startsWith('/proc/self/fd/')) left--;
      return left === 0;
    });
    this.#dying = disk;
    try {
      await act(this);
    } catch (error) {
      if (!isDead()) throw error;
    } finally {
      this.#dying = undefined;
    }
    if (!isDead()) throw new Error('it was to die, and did not');
  }

  /** Opens a workspace, does something in it, and closes it, as one process. */
  async in<T>(name: string, work: (workspace: Workspace) => Promise<T>): Promise<T> {
    const { disk } = this;
    const workspace = await openWorkspaceIn(deadEnvironment(disk), inlineWorkers(disk), `${this.root}/${name}`);
    try {
      return await work(workspace);
    } finally {
      await workspace.close();
    }
  }

  /** A file of the user's own, durable at once. */
  write(path: string, content: string | Buffer): void {
    const at = `${this.root}/${path}`;
    ensureFolder(this.disk, folderOf(at));
    const fd = this.disk.open(at, OVERWRITE, 0o644);
    writeFully(this.disk, fd, Buffer.from(content), null);
    this.disk.sync(fd);
    this.disk.close(fd);
    const folder = this.disk.open(folderOf(at), OPEN.folder);
    this.disk.sync(folder);
    this.disk.close(folder);
  }

  /** Commits, and takes note that it was acknowledged. */
  async commit(name: string, message: string, settings: { readonly tag?: string } = {}): Promise<BlobId> {
    const picture = pictureOf(`${this.root}/${name}`);
    const id = await this.in(name, async (workspace) => (await commit(workspace, { message, ...settings })).id);
    if (id === undefined) throw new Error('nothing to commit');
    this.pictures.set(id, picture);
    this.#trace?.note(`ack ${id}`);
    return id;
  }

  /** Makes the store write packs of about 16 KiB. Only before the first commit. */
  shrinkPacks(name: string): void {
    const path = `${this.root}/${name}/.snap/store/config.json`;
    const config = decodeStoreConfig(readFileSync(path));
    writeFileSync(path, encodeStoreConfig({ ...config, packBytes: 16_384 }));
  }

  /** The newest journal entry of the first workspace's store, as a path below the root. */
  lastEntry(): string {
    const folder = 'work/.snap/store/journal';
    return `${folder}/${readdirSync(`${this.root}/${folder}`).sort().at(-1) ?? ''}`;
  }

  /** The index of a workspace as it is now, kept for states to come. */
  keepIndex(name: string, as: string): void {
    const from = `${this.root}/${name}/.snap/index`;
    rmSync(as, { recursive: true, force: true });
    if (existsSync(from)) cpSync(from, as, { recursive: true });
  }
}

/** What a live folder holds, without `.snap`. */
export function pictureOf(folder: string): Picture {
  const picture = new Map<string, string>();
  const walk = (at: string, path: string): void => {
    for (const name of readdirSync(at).sort()) {
      if (path === '' && name === '.snap') continue;
      const inside = path === '' ? name : `${path}/${name}`;
      const stat = lstatSync(`${at}/${name}`);
      if (stat.isDirectory()) {
        picture.set(inside, 'folder');
        walk(`${at}/${name}`, inside);
      } else if (stat.isSymbolicLink()) picture.set(inside, `link: ${readlinkSync(`${at}/${name}`)}`);
      else picture.set(inside, sha1(readFileSync(`${at}/${name}`)));
    }
  };
  walk(folder, '');
  return picture;
}

/** What a snapshot gives back, each chunk read and verified. Throws what reading throws. */
export async function readPicture(repository: Repository, id: BlobId): Promise<Picture> {
  const picture = new Map<string, string>();
  const { tree } = await repository.trees.snapshot(id);
  for await (const { path, entry } of walkTree(repository.trees, tree)) {
    if (entry.kind === ENTRY_KIND.folder) picture.set(path, 'folder');
    else if (entry.kind === ENTRY_KIND.symlink) picture.set(path, `link: ${entry.target}`);
    else if (entry.kind === ENTRY_KIND.file) {
      const pieces: Buffer[] = [];
      for await (const chunk of repository.trees.chunks(entry))
        pieces.push(Buffer.from(await repository.blobs.read(BLOB_KIND.data, chunk.id)));
      picture.set(path, sha1(Buffer.concat(pieces)));
    }
  }
  return picture;
}

export function samePicture(a: Picture, b: Picture): boolean {
  return a.size === b.size && [...a].every(([path, what]) => b.get(path) === what);
}

function sha1(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex');
}
