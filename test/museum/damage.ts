/** The kinds of damage that the museum keeps, each done to a store of a few kilobytes; and what is made of such a store. */
import fs from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../../src/api/checkout.ts';
import { repair } from '../../src/api/repair.ts';
import { verify } from '../../src/api/verify.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspace } from '../../src/api/workspace.ts';
import { SnapError } from '../../src/errors.ts';
import { digits } from '../kit/checker/journal.ts';
import { BLOCK_HEADER_BYTES, footerStart, readFooter } from '../kit/checker/pack.ts';
import { readableFiles, readFolder } from '../kit/checker/snapshot.ts';
import { alterEntry, flipBit, packPaths } from '../kit/damage.ts';

/** What is in the museum's undamaged store. */
export interface Base {
  /** Snapshots, oldest first: SHA-256 of each file. */
  readonly snapshots: readonly {
    readonly id: string;
    readonly message: string;
    readonly files: Readonly<Record<string, string>>;
  }[];
}

/** label.json of an exhibit. */
export interface Label {
  readonly damage: string;
  readonly verify: Verdict | { readonly error: string };
  /** By message of the snapshot: the error of the whole, or the paths that failed. */
  readonly checkout: Readonly<Record<string, { readonly error: string } | { readonly failed: readonly string[] }>>;
  /** By message of the snapshot: files that the independent checker can read. */
  readonly readable: Readonly<Record<string, readonly string[]>>;
  readonly repair: Repaired | { readonly error: string };
}

/** What `snap repair` makes of it, in a folder that has none of the files. */
export interface Repaired {
  /** Something is still damaged. */
  readonly remains: boolean;
  readonly lostBlobs: number;
  /** By message of the snapshot: paths that a checkout still cannot give back. */
  readonly failed: Readonly<Record<string, readonly string[]>>;
}

export interface Verdict {
  readonly damaged: boolean;
  /** What each fault is of, once each, sorted. */
  readonly faults: readonly string[];
  /** Paths that verify says are hit, sorted; '' is a whole snapshot. */
  readonly hits: readonly string[];
}

const entry = (store: string, number: number): string => join(store, 'journal', `${digits(number)}.json`);
const last = (store: string): number => fs.readdirSync(join(store, 'journal')).length;
const rewrite = (path: string, change: (bytes: Buffer) => Buffer): void =>
  fs.writeFileSync(path, change(fs.readFileSync(path)));

/** The pack of the first commit is the largest. */
function firstPack(store: string): string {
  return packPaths(store)[0] ?? '';
}

/** Flips a bit in the first block of file contents that has this codec. */
function inBlock(store: string, codec: number, at: (block: { offset: number; storedLength: number }) => number): void {
  for (const path of packPaths(store)) {
    const blocks = readFooter(fs.readFileSync(path), path.slice(-37, -5));
    const block = blocks.find((listed) => listed.codec === codec && listed.blobs[0]?.kind === 1);
    if (block === undefined) continue;
    flipBit(path, at(block));
    return;
  }
  throw new Error(`no block of codec ${codec}`);
}

/** Name of the exhibit: what was done, and the doing. */
export const DAMAGES: Readonly<Record<string, readonly [string, (store: string) => void]>> = {
  sound: ['nothing', () => undefined],
  leftovers: [
    'files that no entry names: a pack and a temporary one',
    (store) => {
      const id = '00112233445566778899aabbccddeeff';
      fs.mkdirSync(join(store, 'packs/00'), { recursive: true });
      fs.copyFileSync(firstPack(store), join(store, `packs/00/${id}.pack`));
      fs.mkdirSync(join(store, 'tmp'), { recursive: true });
      fs.writeFileSync(join(store, 'tmp/ffeeddccbbaa99887766554433221100'), 'half a pack');
    },
  ],
  'pack-missing': ['the pack of the first commit is gone', (store) => fs.rmSync(firstPack(store))],
  'pack-empty': ['the pack of the first commit has no bytes', (store) => fs.truncateSync(firstPack(store), 0)],
  'pack-half': [
    'the pack of the first commit is cut in half',
    (store) => rewrite(firstPack(store), (b) => b.subarray(0, b.length >> 1)),
  ],
  'pack-longer': [
    'the pack of the first commit has one byte more',
    (store) => fs.appendFileSync(firstPack(store), '\0'),
  ],
  'pack-magic': ['a flipped bit in the magic of a pack', (store) => flipBit(firstPack(store), 3)],
  'pack-id': ['a flipped bit in the id in the header of a pack', (store) => flipBit(firstPack(store), 20)],
  'pack-version': ['a flipped bit in the version in the header of a pack', (store) => flipBit(firstPack(store), 8)],
  'block-header': [
    'a flipped bit in the header of a raw block',
    (store) => inBlock(store, 0, ({ offset }) => offset + 9),
  ],
  'block-raw': [
    'a flipped bit in the bytes of a blob in a raw block',
    (store) => inBlock(store, 0, ({ offset }) => offset + BLOCK_HEADER_BYTES + 5),
  ],
  'block-compressed': [
    'a flipped bit in the middle of a compressed block',
    (store) => inBlock(store, 1, ({ offset, storedLength }) => offset + BLOCK_HEADER_BYTES + (storedLength >> 1)),
  ],
  'footer-flipped': [
    'a flipped bit in a footer',
    (store) => flipBit(firstPack(store), footerStart(fs.readFileSync(firstPack(store))) + 7),
  ],
  'footer-lost': [
    'footer and trailer of a pack are zeros',
    (store) =>
      rewrite(firstPack(store), (b) =>
        Buffer.concat([b.subarray(0, footerStart(b)), Buffer.alloc(b.length - footerStart(b))]),
      ),
  ],
  'trailer-flipped': [
    'a flipped bit in a trailer',
    (store) => flipBit(firstPack(store), fs.statSync(firstPack(store)).size - 3),
  ],
  'sector-zeroed': [
    'the second 512 bytes of a pack are zeros',
    (store) => rewrite(firstPack(store), (b) => b.fill(0, 512, 1024)),
  ],
  'packs-swapped': [
    'two packs have each other’s name',
    (store) => {
      const [a = '', b = ''] = packPaths(store);
      fs.renameSync(a, `${a}.moved`);
      fs.renameSync(b, a);
      fs.renameSync(`${a}.moved`, b);
    },
  ],
  'packs-all-missing': ['no pack is there', (store) => fs.rmSync(join(store, 'packs'), { recursive: true })],
  'entry-flipped': [
    'a flipped bit in the note of a journal entry',
    (store) => flipBit(entry(store, 2), fs.readFileSync(entry(store, 2)).indexOf('"note":"') + 9),
  ],
  'entry-last-half': [
    'the last journal entry is cut in half',
    (store) => rewrite(entry(store, last(store)), (b) => b.subarray(0, b.length >> 1)),
  ],
  'entry-empty': ['a journal entry has no bytes', (store) => fs.truncateSync(entry(store, 3), 0)],
  'entry-missing': ['a journal entry in the middle is gone', (store) => fs.rmSync(entry(store, 3))],
  'entry-first-missing': ['the first journal entry is gone', (store) => fs.rmSync(entry(store, 1))],
  'entry-twice': [
    'a journal entry has the bytes of the one before',
    (store) => fs.copyFileSync(entry(store, 2), entry(store, 3)),
  ],
  'entry-missing-seen': [
    'a journal entry in the middle is gone, and the workspace has seen it',
    (store) => fs.rmSync(entry(store, 3)),
  ],
  'entry-last-missing': [
    'the last journal entry is gone, and the workspace has seen it',
    (store) => fs.rmSync(entry(store, last(store))),
  ],
  'entry-another': [
    'the last journal entry is another one than the workspace has seen: the store was set back, and written on',
    (store) =>
      rewrite(entry(store, last(store)), (b) => {
        const { head, operation, packs, refs, ...rest } = JSON.parse(b.toString()) as Record<string, unknown>;
        return Buffer.from(canonical({ ...rest, head: null, operation: 'checkout', packs: [], refs: [] }));
      }),
  ],
  'entry-later-format': [
    'the last journal entry is of a later format',
    (store) => alterEntry(entry(store, last(store)), (text) => text.replace('"format":1', '"format":2')),
  ],
  'config-half': [
    'the store configuration is cut in half',
    (store) => rewrite(join(store, 'config.json'), (b) => b.subarray(0, b.length >> 1)),
  ],
  'config-feature': [
    'the store configuration names a feature that nobody knows',
    (store) =>
      rewrite(join(store, 'config.json'), (b) =>
        Buffer.from(b.toString().replace('"features":[]', '"features":["sealed"]')),
      ),
  ],
};

/** Exhibits of which only a workspace that knew the store before can tell what is wrong, or how it was. */
export const SEEN = ['entry-missing-seen', 'entry-last-missing', 'entry-another'];

/** Of flat records. */
function canonical(fields: Record<string, unknown>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/**
 * What a new workspace on the store (a copy, at `<folder>/store`) makes of it. `sound`: the store as the workspace has seen
 * it before.
 */
export async function verdictOn(folder: string, base: Base, sound?: string): Promise<Omit<Label, 'damage'>> {
  const store = join(folder, 'store');
  const readable = Object.fromEntries(
    base.snapshots.map(({ id, message }) => [message, [...readableFiles(store, id)].sort()]),
  );
  const root = join(folder, 'workspace');
  try {
    await attach(root, sound === undefined ? store : join(folder, 'sound'));
    if (sound !== undefined) await seeSound(root, folder, sound);
    const workspace = await openWorkspace(root);
    const targets: Record<string, { error: string } | { failed: string[] }> = {};
    try {
      const verdict = await orCode(async () => {
        const { faultCount, faults, hits } = await verify(workspace, { data: true });
        return {
          damaged: faultCount > 0,
          faults: [...new Set(faults.map(({ what }) => what))].sort(),
          hits: (hits?.listed ?? []).map(({ path }) => path).sort(),
        };
      });
      for (const { id, message } of base.snapshots) {
        const to = join(folder, message);
        targets[message] = await orCode(async () => ({
          failed: (await checkout(workspace, { revision: id, to })).failures.map(({ path }) => path).sort(),
        }));
      }
      const mended = await orCode(() => repairVerdict(workspace, folder, base));
      return { verify: verdict, checkout: targets, readable, repair: mended };
    } finally {
      await workspace.close();
    }
  } catch (error) {
    if (!(error instanceof SnapError)) throw error;
    const failure = { error: error.code };
    return {
      verify: failure,
      checkout: Object.fromEntries(base.snapshots.map(({ message }) => [message, failure])),
      readable,
      repair: failure,
    };
  }
}

async function repairVerdict(workspace: Workspace, folder: string, base: Base): Promise<Repaired> {
  const { remains, lostBlobs } = await repair(workspace);
  const failed: Record<string, readonly string[]> = {};
  for (const { id, message } of base.snapshots) {
    const made = await orCode(() => checkout(workspace, { revision: id, to: join(folder, 'mended', message) }));
    failed[message] = 'error' in made ? [made.error] : made.failures.map(({ path }) => path).sort();
  }
  return { remains, lostBlobs, failed };
}

/** Files that a checkout wrote and that are not what was committed: there must never be one. */
export function wrongFiles(folder: string, base: Base): string[] {
  return base.snapshots.flatMap(({ message, files }) => {
    const written = [join(folder, message), join(folder, 'mended', message)].filter((to) => fs.existsSync(to));
    return written
      .flatMap((to) => [...readFolder(to)])
      .filter(([path, { sha256 }]) => sha256 !== undefined && sha256 !== files[path])
      .map(([path]) => `${message}: ${path}`);
  });
}

/** A workspace whose store is there already: `init` itself would refuse some of them. */
async function attach(root: string, store: string): Promise<void> {
  await initWorkspace(root);
  const path = join(root, '.snap/config.toml');
  const config = fs.readFileSync(path, 'utf8').replace(/^path = .*$/m, `path = ${JSON.stringify(store)}`);
  fs.writeFileSync(path, config);
  for (const name of ['store', 'index', 'HEAD']) fs.rmSync(join(root, '.snap', name), { recursive: true, force: true });
}

/** Opens the undamaged store, and then has the damaged one in its place. */
async function seeSound(root: string, folder: string, sound: string): Promise<void> {
  fs.cpSync(sound, join(folder, 'sound'), { recursive: true });
  await (await openWorkspace(root)).close();
  const path = join(root, '.snap/config.toml');
  fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replace(join(folder, 'sound'), join(folder, 'store')));
}

async function orCode<T>(work: () => Promise<T>): Promise<T | { error: string }> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SnapError) || error.code === 'internal') throw error;
    return { error: error.code };
  }
}
