import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { CrashEntry } from './crash-state.ts';
import { CrashState } from './crash-state.ts';
import type { TraceOp } from './traced-disk.ts';

type DataOp = { readonly position: number; readonly bytes: Buffer } | { readonly length: number };

interface FileNode {
  readonly kind: 'file';
  readonly number: number;
  safe: Buffer;
  unsafe: DataOp[];
}
interface FolderNode {
  readonly kind: 'folder';
  readonly number: number;
  readonly now: Map<string, Node>;
  readonly safe: Map<string, Node>;
}
interface LinkNode {
  readonly kind: 'link';
  readonly number: number;
  readonly target: string;
}
type Node = FileNode | FolderNode | LinkNode;

interface Place {
  readonly folder: FolderNode;
  readonly name: string;
}

/** One change of names: `node` leaves one place, comes to another, or both. */
interface NameOp {
  readonly node: Node;
  readonly from: Place | undefined;
  readonly to: Place | undefined;
}

/** Which of what is not safe made it to the medium. */
export interface Luck {
  readonly name: string;
  /** Of the changes of names, the one of this index. */
  keepsName(index: number): boolean;
  /** Bytes of a file that has unsafe ones. */
  bytes(file: { readonly safe: Buffer; readonly unsafe: readonly DataOp[] }, isLast: boolean): Buffer;
}

export class CrashModel {
  readonly #root: FolderNode;
  readonly #open = new Map<number, Node>();
  #names: NameOp[] = [];
  #count = 0;
  #lastWritten: Node | undefined;

  /** What is in the folder now is safe. */
  static of(folder: string, skip: (path: string) => boolean): CrashModel {
    const model = new CrashModel();
    model.#load(folder, '', model.#root, skip);
    return model;
  }

  private constructor() {
    this.#root = this.#folder();
  }

  /** A model of its own, of the same start; only before the first operation. */
  copy(): CrashModel {
    const model = new CrashModel();
    const fill = (from: FolderNode, into: FolderNode): void => {
      for (const [name, node] of from.now) {
        let twin: Node = node.kind === 'file' ? { ...node, unsafe: [] } : node;
        if (node.kind === 'folder') {
          twin = model.#folder();
          fill(node, twin);
        }
        into.now.set(name, twin);
        into.safe.set(name, twin);
      }
    };
    fill(this.#root, model.#root);
    return model;
  }

  apply(op: TraceOp): void {
    this.#lastWritten = undefined;
    switch (op.kind) {
      case 'create': {
        const node: FileNode = { kind: 'file', number: this.#count++, safe: Buffer.alloc(0), unsafe: [] };
        this.#open.set(op.file, node);
        this.#change({ node, from: undefined, to: this.#place(op.path) });
        return;
      }
      case 'open':
        this.#open.set(op.file, this.#at(op.path));
        return;
      case 'write':
      case 'truncate': {
        const node = this.#open.get(op.file);
        if (node?.kind !== 'file') throw new Error('the trace writes to what is no file');
        node.unsafe.push(op.kind === 'write' ? { position: op.position, bytes: op.bytes } : { length: op.length });
        this.#lastWritten = node;
        return;
      }
      case 'sync':
        this.#sync(this.#open.get(op.file));
        return;
      case 'rename':
      case 'link': {
        const node = this.#at(op.from);
        const target = this.#find(op.to);
        // Two names of one file: rename does nothing.
        if (op.kind === 'rename' && target === node) return;
        this.#change({ node, from: op.kind === 'rename' ? this.#place(op.from) : undefined, to: this.#place(op.to) });
        return;
      }
      case 'unlink':
      case 'remove-folder':
        this.#change({ node: this.#at(op.path), from: this.#place(op.path), to: undefined });
        return;
      case 'make-folder':
        this.#change({ node: this.#folder(), from: undefined, to: this.#place(op.path) });
        return;
      case 'symlink':
        this.#change({
          node: { kind: 'link', number: this.#count++, target: op.target },
          from: undefined,
          to: this.#place(op.path),
        });
        return;
      case 'note':
        return;
    }
  }

  bytesAreSafe(path: string): boolean {
    const node = this.#find(path);
    return node?.kind === 'file' && node.unsafe.length === 0;
  }

  /** True if the file at a path is there, its bytes are safe, and so are its name and those of the folders above it. */
  isSafe(path: string): boolean {
    let folder: Node = this.#root;
    for (const name of path.split('/')) {
      if (folder.kind !== 'folder') return false;
      const next: Node | undefined = folder.now.get(name);
      if (next === undefined || folder.safe.get(name) !== next) return false;
      folder = next;
    }
    return folder.kind !== 'file' || folder.unsafe.length === 0;
  }

  /** The bytes of a file as programs see them now; undefined if there is none. */
  bytesOf(path: string): Buffer | undefined {
    const node = this.#find(path);
    return node?.kind === 'file' ? written(node.safe, node.unsafe) : undefined;
  }

  /** How many things are not safe now. */
  get unsafeCount(): number {
    return this.#names.length + [...this.#files()].filter((file) => file.unsafe.length > 0).length;
  }

  get lastWriteBytes(): number | undefined {
    const last = this.#lastWritten?.kind === 'file' ? this.#lastWritten.unsafe.at(-1) : undefined;
    return last !== undefined && 'bytes' in last ? last.bytes.length : undefined;
  }

  /** The tree that is there after a power loss now, with this luck. */
  after(luck: Luck): CrashState {
    const names = new Map<FolderNode, Map<string, Node>>();
    const of = (folder: FolderNode): Map<string, Node> => {
      let map = names.get(folder);
      if (map === undefined) {
        map = new Map(folder.safe);
        names.set(folder, map);
      }
      return map;
    };
    for (const [index, { node, from, to }] of this.#names.entries()) {
      if (!luck.keepsName(index)) continue;
      if (from !== undefined) {
        if (of(from.folder).get(from.name) !== node) continue;
        of(from.folder).delete(from.name);
      }
      if (to !== undefined) of(to.folder).set(to.name, node);
    }
    const entries: CrashEntry[] = [];
    const walk = (folder: FolderNode, path: string): void => {
      for (const [name, node] of [...of(folder)].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const at = path === '' ? name : `${path}/${name}`;
        if (node.kind === 'link') entries.push({ path: at, kind: 'link', target: node.target });
        else if (node.kind === 'folder') {
          entries.push({ path: at, kind: 'folder' });
          walk(node, at);
        } else {
          const bytes = node.unsafe.length === 0 ? node.safe : luck.bytes(node, node === this.#lastWritten);
          entries.push({ path: at, kind: 'file', bytes, number: node.number });
        }
      }
    };
    walk(this.#root, '');
    return new CrashState(luck.name, entries);
  }

  *#files(): Generator<FileNode> {
    const walk = function* (folder: FolderNode): Generator<FileNode> {
      for (const node of folder.now.values()) {
        if (node.kind === 'file') yield node;
        else if (node.kind === 'folder') yield* walk(node);
      }
    };
    yield* walk(this.#root);
  }

  #folder(): FolderNode {
    return { kind: 'folder', number: this.#count++, now: new Map(), safe: new Map() };
  }

  #load(real: string, path: string, into: FolderNode, skip: (path: string) => boolean): void {
    for (const name of readdirSync(real)) {
      const at = path === '' ? name : `${path}/${name}`;
      if (skip(at)) continue;
      const stat = lstatSync(`${real}/${name}`);
      let node: Node;
      if (stat.isDirectory()) {
        node = this.#folder();
        this.#load(`${real}/${name}`, at, node, skip);
      } else if (stat.isSymbolicLink())
        node = { kind: 'link', number: this.#count++, target: readlinkSync(`${real}/${name}`) };
      else node = { kind: 'file', number: this.#count++, safe: readFileSync(`${real}/${name}`), unsafe: [] };
      into.now.set(name, node);
      into.safe.set(name, node);
    }
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path === '' ? [] : path.split('/'))
      node = node?.kind === 'folder' ? node.now.get(name) : undefined;
    return node;
  }

  #at(path: string): Node {
    const node = this.#find(path);
    if (node === undefined) throw new Error(`the trace names ${path}, which is not there`);
    return node;
  }

  #place(path: string): Place {
    const slash = path.lastIndexOf('/');
    const folder = this.#at(slash < 0 ? '' : path.slice(0, slash));
    if (folder.kind !== 'folder') throw new Error(`${path} is in no folder`);
    return { folder, name: path.slice(slash + 1) };
  }

  #change(op: NameOp): void {
    if (op.from !== undefined) op.from.folder.now.delete(op.from.name);
    if (op.to !== undefined) op.to.folder.now.set(op.to.name, op.node);
    this.#names.push(op);
  }

  #sync(node: Node | undefined): void {
    if (node === undefined || node.kind === 'link') return;
    if (node.kind === 'file') {
      node.safe = written(node.safe, node.unsafe);
      node.unsafe = [];
      return;
    }
    const rest: NameOp[] = [];
    for (const op of this.#names) {
      if (op.from?.folder !== node && op.to?.folder !== node) {
        rest.push(op);
        continue;
      }
      if (op.from !== undefined) {
        const { folder, name } = op.from;
        if (folder.safe.get(name) === op.node) folder.safe.delete(name);
        // The name it left was never safe: it cannot come back any more.
        const came = rest.findIndex(
          ({ to, node: moved }) => moved === op.node && to?.folder === folder && to.name === name,
        );
        if (came >= 0) rest.splice(came, 1);
      }
      if (op.to !== undefined) op.to.folder.safe.set(op.to.name, op.node);
    }
    this.#names = rest;
  }
}

/** `bytes` after some operations. */
export function written(bytes: Buffer, ops: readonly DataOp[]): Buffer {
  let now = bytes;
  for (const op of ops) {
    if ('length' in op)
      now =
        op.length <= now.length
          ? now.subarray(0, op.length)
          : Buffer.concat([now, Buffer.alloc(op.length - now.length)]);
    else {
      const end = op.position + op.bytes.length;
      const next = Buffer.alloc(Math.max(now.length, end));
      now.copy(next);
      op.bytes.copy(next, op.position);
      now = next;
    }
  }
  return now;
}
