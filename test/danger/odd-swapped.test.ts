/** Folders that become links, for one call of a commit or for several, and are folders again. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommitResult } from '../../src/commit/commit.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import type { TreeEntry } from '../../src/object/tree-entry.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { collect } from '../history/collect.ts';
import { AMOUNT, amount, randomFrom, SEED } from '../kit/amount.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';
import { commitOver } from './crafted.ts';

const LONG = { timeout: amount({ sample: 60_000, ordinary: 240_000, long: 7_200_000 }) };
const SECRET = 'secret of somebody else';

let made: TestWorkspace;
const at = (name: string): string => join(made.root, name);
const outside = (name = ''): string => join(made.root, '..', 'outside', name);
beforeEach(async () => {
  made = await makeWorkspace({ files: { a: 'alpha' } });
  fs.mkdirSync(outside());
  fs.writeFileSync(outside('file'), SECRET);
});
afterEach(() => made.cleanup());

const { file, folder, symlink } = ENTRY_KIND;

/** Swaps `name` for a link to its double outside before call number `from` of the commit, and back before number `to`. */
async function commitSwapping(
  name: string,
  from: number,
  to: number,
): Promise<{ calls: number; result: CommitResult }> {
  let calls = 0;
  const there = (): boolean => fs.lstatSync(at(name)).isSymbolicLink();
  const swap = (): void => {
    fs.renameSync(at(name), outside('real'));
    fs.symlinkSync(outside('double'), at(name));
  };
  const back = (): void => {
    fs.unlinkSync(at(name));
    fs.renameSync(outside('real'), at(name));
  };
  const disk = Object.fromEntries(
    Object.entries(realDisk).map(([call, real]) => [
      call,
      (...args: never[]) => {
        calls++;
        if (calls === from) swap();
        if (calls === to) back();
        return (real as (...given: never[]) => unknown)(...args);
      },
    ]),
  ) as unknown as Disk;
  try {
    const result = await commitOver(made.root, disk, { workers: inlineWorkers(disk), message: `${from}` });
    return { calls, result };
  } finally {
    if (there()) back();
  }
}

async function textsOf(path: string, tree: Extract<TreeEntry, { kind: typeof folder }>['tree']): Promise<string[]> {
  const { trees, blobs } = made.workspace.repository;
  const texts: string[] = [];
  for (const entry of await trees.folder(tree)) {
    const name = `${path}${entry.name}`;
    if (entry.kind === folder) texts.push(`${name}/`, ...(await textsOf(`${name}/`, entry.tree)));
    else if (entry.kind === file) {
      const chunks = await Promise.all(
        (await collect(trees.chunks(entry))).map(({ id }) => blobs.read(BLOB_KIND.data, id)),
      );
      texts.push(`${name}: ${Buffer.concat(chunks).toString()}`);
    } else if (entry.kind === symlink) texts.push(`${name} -> ${entry.target}`);
    else texts.push(name);
  }
  return texts;
}

test.each([
  ['above', 'before'],
  ['above/folder', 'before'],
  ['above', 'new'],
  ['above/folder', 'new'],
])(
  '%s, %s, becomes a link at any call of a commit: nothing of where it leads is stored, and what is missing is named',
  LONG,
  async (name, known) => {
    const inside = 'above/folder';
    const fill = (root: string, text: string): void => {
      fs.mkdirSync(join(root, 'empty'), { recursive: true });
      for (const one of ['one', 'two']) fs.writeFileSync(join(root, one), `${text} ${one}`);
      fs.symlinkSync(text, join(root, 'link'));
    };
    fill(at(inside), 'mine');
    // The double has more than the folder, too.
    const double = join(outside('double'), inside.slice(name.length));
    fill(double, SECRET);
    fs.writeFileSync(join(double, 'more'), SECRET);
    execFileSync('mkfifo', [join(double, 'secret pipe')]);
    if (known === 'before') await made.commit('before');
    await made.workspace.close();
    fs.cpSync(made.root, outside('copy'), { recursive: true, preserveTimestamps: true });
    const again = (): void => {
      fs.rmSync(at('.snap'), { recursive: true });
      fs.cpSync(outside('copy/.snap'), at('.snap'), { recursive: true });
      fs.appendFileSync(at(`${inside}/one`), '.');
    };
    again();
    const random = randomFrom(SEED);
    const { calls } = await commitSwapping('a', Number.POSITIVE_INFINITY, 0);
    const share = amount({ sample: 6, ordinary: 30, long: calls * 5 }) / (calls * 5);
    let stored = 0;
    for (let from = 1; from <= calls; from++)
      for (const length of [1, 2, 3, 7, Number.POSITIVE_INFINITY]) {
        if (random() > share) continue;
        again();
        const where = `seed ${SEED}: ${name} swapped from call ${from} for ${length}`;
        const { result } = await commitSwapping(name, from, from + length);
        await made.reopen();
        if (result.snapshot === undefined) continue;
        stored++;
        const texts = await textsOf('', result.snapshot.tree);
        expect(
          texts.filter((text) => /secret|more/.test(text)),
          where,
        ).toEqual([]);
        const namesLeftOut = result.snapshot.skipped.some(({ path }) => path.startsWith('above'));
        const isLink = texts.some((text) => text.startsWith(`${name} -> `));
        for (const wanted of ['above/folder/one: mine one.', 'above/folder/link -> mine', 'above/folder/empty/'])
          if (!texts.some((text) => text.startsWith(wanted)))
            expect(namesLeftOut || isLink, `${where}: ${wanted} of ${texts.join('\n')}`).toBe(true);
        await made.workspace.close();
      }
    if (AMOUNT !== 'sample') expect(stored).toBeGreaterThan(10);
  },
);
