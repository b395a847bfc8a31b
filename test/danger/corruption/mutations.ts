/**
 * Every way to damage a workspace's stored files that the plan names: each region of each kind of file, by flipped bits,
 * cuts, zeros, additions, exchange and replay. A mutation is made from random numbers, so that a seed replays it.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { BLOCK_HEADER_BYTES, readFooter, TRAILER_BYTES } from '../../kit/checker/pack.ts';

/** truth: packs and journal. config: the store's. derived: can be made again. workspace: what is the workspace's own. */
export type FileClass = 'truth' | 'config' | 'checkpoint' | 'derived' | 'workspace';

export interface Mutation {
  /** What it is about: kind of file, region and way, such as "pack block body: flip". */
  readonly class: string;
  readonly fileClass: FileClass;
  /** What was done, exactly. */
  readonly what: string;
  readonly file: string;
  /** The other file of an exchange. */
  readonly twin?: string;
  /** Changes the workspace at `root`. False if it came to nothing. */
  apply(root: string): boolean;
}

export type Random = () => number;

interface Target {
  readonly kind: string;
  readonly fileClass: FileClass;
  /** Relative to the workspace. */
  readonly file: string;
}

interface Region {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

const below = (random: Random, limit: number): number => Math.floor(random() * limit);

/** All files of a workspace's `.snap` that are stored on purpose. */
export function targetsOf(root: string): Target[] {
  const names = fs.readdirSync(join(root, '.snap'), { recursive: true, encoding: 'utf8' }).sort();
  return names.flatMap((name) => {
    const target = targetOf(name);
    return target !== undefined && fs.statSync(join(root, '.snap', name)).isFile()
      ? [{ ...target, file: `.snap/${name}` }]
      : [];
  });
}

function targetOf(name: string): Omit<Target, 'file'> | undefined {
  if (name.endsWith('.pack')) return { kind: 'pack', fileClass: 'truth' };
  if (name.startsWith('store/journal/')) return { kind: 'journal entry', fileClass: 'truth' };
  if (name.startsWith('store/checkpoints/')) return { kind: 'checkpoint', fileClass: 'checkpoint' };
  if (name === 'store/config.json') return { kind: 'store configuration', fileClass: 'config' };
  if (name.startsWith('store/locks/')) return { kind: 'session', fileClass: 'derived' };
  if (name === 'store-config.json') return { kind: 'copy of the store configuration', fileClass: 'derived' };
  if (name === 'lock' || name === 'index-in-use') return { kind: name, fileClass: 'derived' };
  if (/^index\/(?:\d+\.(?:log|ldb)|MANIFEST-\d+|CURRENT)$/.test(name))
    return { kind: `index ${name.replace(/^index\/(?:\d+[.])?|-\d+$/g, '')}`, fileClass: 'derived' };
  if (name === 'HEAD' || name === 'operations.jsonl' || name === 'config.toml')
    return { kind: name, fileClass: 'workspace' };
  return undefined;
}

/** The regions of a file; most kinds have one. */
export function regionsOf(root: string, { kind, file }: Target): Region[] {
  const bytes = fs.readFileSync(join(root, file));
  if (kind !== 'pack') return [{ name: '', from: 0, to: bytes.length }];
  const id = file.slice(-'.pack'.length - 32, -'.pack'.length);
  const blocks = readFooter(bytes, id);
  const last = blocks.at(-1);
  const footer = last === undefined ? 32 : last.offset + BLOCK_HEADER_BYTES + last.storedLength;
  const trailer = bytes.length - TRAILER_BYTES;
  return [
    { name: ' magic', from: 0, to: 8 },
    { name: ' header', from: 8, to: 32 },
    ...blocks.flatMap(({ offset, storedLength }) => [
      { name: ' block header', from: offset, to: offset + BLOCK_HEADER_BYTES },
      { name: ' block body', from: offset + BLOCK_HEADER_BYTES, to: offset + BLOCK_HEADER_BYTES + storedLength },
    ]),
    { name: ' footer', from: footer, to: trailer },
    { name: ' trailer', from: trailer, to: bytes.length },
  ];
}

/** A change of bytes; undefined if there is nothing to change. */
type Change = (bytes: Buffer) => Buffer;

export function flip(at: number, bit: number): Change {
  return (bytes) => {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ (1 << bit);
    return changed;
  };
}

export function changeFile(target: Target, region: string, way: string, detail: string, change: Change): Mutation {
  const { kind, fileClass, file } = target;
  return {
    class: `${kind}${region}: ${way}`,
    fileClass,
    file,
    what: `${file}: ${way}${detail}`,
    apply: (root) => {
      const path = join(root, file);
      const before = fs.readFileSync(path);
      const after = change(before);
      fs.rmSync(path);
      fs.writeFileSync(path, after);
      return !after.equals(before);
    },
  };
}

/** A random mutation of each class that `root` has a file for; call it again for others. */
export function mutationsOf(root: string, stranger: string, random: Random): Mutation[] {
  const targets = targetsOf(root);
  const made = new Map<string, Mutation>();
  for (let rest = shuffled(targets, random); rest.length > 0; rest = rest.slice(1)) {
    const target = rest[0];
    if (target === undefined) break;
    for (const mutation of [...ofRegions(root, target, random), ...ofFile(root, target, random)])
      if (!made.has(mutation.class)) made.set(mutation.class, mutation);
    for (const mutation of exchanges(root, stranger, target, targets, random))
      if (!made.has(mutation.class)) made.set(mutation.class, mutation);
  }
  return [...made.values()];
}

function ofRegions(root: string, target: Target, random: Random): Mutation[] {
  return shuffled(regionsOf(root, target), random)
    .filter(({ from, to }) => to > from)
    .map(({ name, from, to }) => {
      const at = from + below(random, to - from);
      const bit = below(random, 8);
      return changeFile(target, name, 'flip', ` at ${at}, bit ${bit}`, flip(at, bit));
    });
}

function ofFile(root: string, target: Target, random: Random): Mutation[] {
  const { size } = fs.statSync(join(root, target.file));
  const cut = (name: string, length: number): Mutation =>
    changeFile(target, '', `cut to ${name}`, ` (${length})`, (bytes) => bytes.subarray(0, length));
  const more = (count: number, fill: number): Mutation =>
    changeFile(target, '', `${count} more`, ` (${fill})`, (bytes) => Buffer.concat([bytes, Buffer.alloc(count, fill)]));
  const sector = below(random, Math.ceil(size / 512)) * 512;
  return [
    cut('0', 0),
    cut('1', Math.min(1, size)),
    cut('half', size >> 1),
    cut('n-1', Math.max(0, size - 1)),
    more(1, below(random, 2) * 10),
    more(4096, below(random, 2) * 255),
    changeFile(target, '', 'zeroed sector', ` at ${sector}`, (bytes) =>
      Buffer.from(bytes).fill(0, sector, Math.min(bytes.length, sector + 512)),
    ),
    {
      class: `${target.kind}: removed`,
      fileClass: target.fileClass,
      file: target.file,
      what: `${target.file}: removed`,
      apply: (folder) => {
        fs.rmSync(join(folder, target.file));
        return true;
      },
    },
  ];
}

/** Files that change places, and files of another workspace. */
function exchanges(
  root: string,
  stranger: string,
  target: Target,
  targets: readonly Target[],
  random: Random,
): Mutation[] {
  const { kind, file, fileClass } = target;
  const replaced = (way: string, from: string): Mutation => {
    const bytes = fs.readFileSync(from);
    return changeFile(target, '', way, ` (${from.slice(from.indexOf('.snap'))})`, () => bytes);
  };
  const found: Mutation[] = [];
  const twins = targets.filter((other) => other.kind === kind && other.file !== file);
  const twin = twins[below(random, twins.length)];
  if (twin !== undefined) {
    found.push({
      class: `${kind}: swapped`,
      fileClass,
      file,
      what: `${file} and ${twin.file} swapped`,
      twin: twin.file,
      apply: (folder) => {
        const [a, b] = [join(folder, file), join(folder, twin.file)];
        const [bytesA, bytesB] = [fs.readFileSync(a), fs.readFileSync(b)];
        for (const [path, bytes] of [
          [a, bytesB],
          [b, bytesA],
        ] as const) {
          fs.rmSync(path);
          fs.writeFileSync(path, bytes);
        }
        return !bytesA.equals(bytesB);
      },
    });
  }
  const strange = targetsOf(stranger).filter((other) => other.kind === kind);
  const own = strange.find((other) => other.file === file) ?? strange[below(random, strange.length)];
  if (own !== undefined) found.push(replaced('of another store', join(stranger, own.file)));
  if (kind === 'pack') found.push(...swappedWithin(root, target, random));
  return found;
}

/** Two blocks of one pack in each other's place, and the bytes of two blobs of a raw block. */
function swappedWithin(root: string, target: Target, random: Random): Mutation[] {
  const bytes = fs.readFileSync(join(root, target.file));
  const blocks = readFooter(bytes, target.file.slice(-37, -5));
  const found: Mutation[] = [];
  const [a, b] = blocks;
  if (a !== undefined && b !== undefined) {
    const piece = ({ offset, storedLength }: typeof a): Buffer =>
      bytes.subarray(offset, offset + BLOCK_HEADER_BYTES + storedLength);
    const tail = bytes.subarray(b.offset + BLOCK_HEADER_BYTES + b.storedLength);
    const swapped = Buffer.concat([bytes.subarray(0, a.offset), piece(b), piece(a), tail]);
    found.push(changeFile(target, '', 'swapped blocks', '', () => swapped));
  }
  const raw = blocks.find(({ codec, blobs }) => codec === 0 && blobs.length > 1);
  if (raw !== undefined) {
    const at = below(random, raw.blobs.length - 1);
    const [x, y] = raw.blobs.slice(at, at + 2);
    if (x !== undefined && y !== undefined) {
      const start = raw.offset + BLOCK_HEADER_BYTES + x.offset;
      const changed = Buffer.from(bytes);
      bytes.copy(changed, start, start + x.length, start + x.length + y.length);
      bytes.copy(changed, start + y.length, start, start + x.length);
      found.push(changeFile(target, '', 'swapped blobs', ` at ${start}`, () => changed));
    }
  }
  return found;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = below(random, i + 1);
    const [a, b] = [mixed[i], mixed[j]];
    if (a !== undefined && b !== undefined) [mixed[i], mixed[j]] = [b, a];
  }
  return mixed;
}
