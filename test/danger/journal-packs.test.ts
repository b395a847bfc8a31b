/** Danger: an entry is lost, and the pack that only it named is damaged, too. Nothing of it may be swept as a leftover. */
import { createHash } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gc } from '../../src/api/gc.ts';
import { repair } from '../../src/api/repair.ts';
import { hasCode } from '../../src/errors.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { packName } from '../../src/repo/layout.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { checkStore } from '../kit/checker/check-store.ts';
import { readPicture, samePicture } from '../kit/crash/stage.ts';
import { flipBit, packPaths, verifyAll } from '../kit/damage.ts';
import { live } from '../kit/random-life.ts';
import { makeSmallHistory } from '../kit/small-history.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import { snap } from '../kit/snap.ts';
import { storeHashes } from '../kit/store-damage.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let base: SmallWorkspace;
let ids: BlobId[];
beforeAll(async () => {
  ({ base, ids } = await makeSmallHistory(join(folder, 'base')));
});
afterAll(() => base.close());

type Outcome = 'all is there' | 'what is readable is there' | 'nothing is known';
const HARM: readonly [name: string, harm: (path: string) => void, outcome: Outcome][] = [
  ['nothing', () => undefined, 'all is there'],
  ['a byte of its header', (path) => flipBit(path, 9), 'all is there'],
  ['its last five bytes', (path) => truncateSync(path, readFileSync(path).length - 5), 'all is there'],
  ['a byte of its footer', (path) => flipBit(path, readFileSync(path).length - 60), 'all is there'],
  ['a byte of its first block', (path) => flipBit(path, 700), 'what is readable is there'],
  ['all of its bytes', (path) => writeFileSync(path, Buffer.alloc(readFileSync(path).length)), 'nothing is known'],
  ['its file', (path) => rmSync(path), 'nothing is known'],
];
/** Entry 3 is the commit before others, entry 5 the last one. */
const CASES = [3, 5].flatMap((entry) => HARM.map((harm) => [entry, ...harm] as const));

test.each(CASES)('entry %d, and of its pack %s', async (number, _name, harm, outcome) => {
  await using made = await base.copy();
  const path = join(made.store, 'journal', `${String(number).padStart(12, '0')}.json`);
  const { packs } = JSON.parse(readFileSync(path, 'utf8')) as { packs: { id: string }[] };
  expect(packs).toHaveLength(1);
  const pack = join(made.store, packName(packs[0]?.id as never));
  const id = ids[number - 2] as BlobId;
  await made.workspace.close();
  rmSync(path);
  rmSync(join(made.root, '.snap/index'), { recursive: true });
  const good = join(made.root, '../good.pack');
  copyFileSync(pack, good);
  harm(pack);
  // The folder has nothing to fetch from.
  for (const name of ['notes', 'file 1', 'file 2', 'file 3', 'file 4']) rmSync(join(made.root, name));
  const before = new Set(storeHashes(made.store).values());
  await made.reopen();
  const first = await repair(made.workspace);
  await gc(made.workspace, { now: true }).catch((error: unknown) =>
    expect(error).toMatchObject({ code: 'corrupt-data' }),
  );

  // No file of a pack is gone, whatever it holds.
  const after = new Set(storeHashes(made.store).values());
  for (const [name, hash] of storeHashes(base.store))
    if (name.startsWith('packs/') && before.has(hash)) expect(after.has(hash), name).toBe(true);
  await made.reopen();
  const { repository } = made.workspace;
  const isNamed = repository.state().refs.has(snapshotRef(id));
  expect(isNamed).toBe(outcome !== 'nothing is known');
  if (outcome === 'all is there') {
    expect(first.remains).toBe(false);
    expect(samePicture(await readPicture(repository, id), base.pictures.get(id) ?? ({} as never))).toBe(true);
    expect((await verifyAll(made.workspace)).faults).toEqual([]);
    expect(checkStore(made.store)).toEqual([]);
  } else if (outcome === 'what is readable is there') {
    expect(first).toMatchObject({ remains: true, lostBlobs: 1 });
    // The same with a good copy is whole.
    copyFileSync(good, join(made.store, 'quarantine/good.pack'));
    expect((await repair(made.workspace)).remains).toBe(false);
    expect(samePicture(await readPicture(repository, id), base.pictures.get(id) ?? ({} as never))).toBe(true);
  } else if (number === 5) {
    expect(first).toMatchObject({ remains: true, mend: { absentHead: id } });
  } else {
    expect(first.mend?.absentParents).toEqual([id]);
  }
});

test('what it was is said', async () => {
  await using made = await base.copy();
  await made.workspace.close();
  const { packs } = JSON.parse(readFileSync(join(made.store, 'journal/000000000005.json'), 'utf8'));
  rmSync(join(made.store, 'journal/000000000005.json'));
  rmSync(join(made.store, packName(packs[0].id)));
  rmSync(join(made.root, '.snap/index'), { recursive: true });
  const { code, stdout } = snap(['repair'], { cwd: made.root });
  expect(code).toBe(20);
  expect(stdout).toContain(`snapshot ${ids[3]?.slice(0, 10)}, which HEAD was at: no entry and no pack has it`);
});

const HISTORIES = amount({ sample: 5, ordinary: 150, long: 3000 });
const TIMEOUT = amount({ sample: 60_000, ordinary: 600_000, long: 7_200_000 });

test(
  'entries and packs at random: what a repair says nothing of is there, and gc takes nothing of it',
  async () => {
    let silent = 0;
    for (let n = 0; n < HISTORIES; n++) {
      const random = randomFrom(SEED + n);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
      const told: string[] = [];
      await using made = await base.copy();
      try {
        await live(made, random, told);
        const before = [...made.workspace.repository.state().refs.values()].filter((id) => made.pictures.has(id));
        await made.workspace.close();
        if (random() < 0.7) rmSync(join(made.root, '.snap/index'), { recursive: true });
        for (let left = 1 + Math.floor(random() * 2); left > 0; left--) {
          const name = pick(readdirSync(join(made.store, 'journal')));
          told.push(`lose ${name}`);
          rmSync(join(made.store, 'journal', name));
        }
        for (let left = 1 + Math.floor(random() * 2); left > 0; left--) {
          const [, harm] = pick(HARM);
          const path = packPaths(made.store)[Math.floor(random() * packPaths(made.store).length)];
          if (path === undefined) break;
          told.push(`harm ${path.slice(-15)}`);
          harm(path);
        }
        const packs = packPaths(made.store).map(hashOfFile);
        await made.reopen();
        const result = await repair(made.workspace);
        const after = new Set(storeHashes(made.store).values());
        expect(packs.filter((hash) => !after.has(hash))).toEqual([]);
        await made.reopen();
        const readable = await wholeOnes(made, before);
        const lost = before.filter((id) => !readable.includes(id));
        if (!result.remains && result.mend?.absentParents.length === 0) {
          silent++;
          expect(lost).toEqual([]);
        }
        if (result.lostBlobs > 0) continue;
        await gc(made.workspace, { now: true });
        expect(await wholeOnes(made, before)).toEqual(readable);
      } catch (error) {
        throw new Error(`SNAP_SEED=${SEED + n} first: ${told.join(', ')}: ${String(error)}`, { cause: error });
      }
    }
    console.info(`histories with lost entries and damaged packs: ${HISTORIES}, ${silent} whole again`);
  },
  TIMEOUT,
);

const hashOfFile = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Those of `ids` that come back as they were. */
async function wholeOnes(
  { workspace: { repository }, pictures }: SmallWorkspace,
  ids: readonly BlobId[],
): Promise<BlobId[]> {
  const whole: BlobId[] = [];
  for (const id of ids) {
    const picture = pictures.get(id);
    if (picture === undefined || !repository.state().refs.has(snapshotRef(id))) continue;
    try {
      expect(samePicture(await readPicture(repository, id), picture)).toBe(true);
      whole.push(id);
    } catch (error) {
      if (!hasCode(error, 'corrupt-data')) throw error;
    }
  }
  return whole;
}
