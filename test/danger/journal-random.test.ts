/** Danger: random histories of which random entries are lost or altered, and repairs of them that are killed. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gc } from '../../src/api/gc.ts';
import { repair } from '../../src/api/repair.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import type { StoreState } from '../../src/object/store-state.ts';
import { amount, randomFrom, SEED } from '../kit/amount.ts';
import { checkStore } from '../kit/checker/check-store.ts';
import { readPicture, samePicture } from '../kit/crash/stage.ts';
import { flipBit, verifyAll } from '../kit/damage.ts';
import { live } from '../kit/random-life.ts';
import { makeSmallHistory } from '../kit/small-history.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import { storeHashes } from '../kit/store-damage.ts';

const folder = scratchFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HISTORIES = amount({ sample: 6, ordinary: 200, long: 6000 });
const KILLS = amount({ sample: 1, ordinary: 12, long: 100 });
const TIMEOUT = amount({ sample: 60_000, ordinary: 600_000, long: 7_200_000 });

/** Kinds of damage that a repair is cut off in. */
const KILLED: readonly [string, (entry: (number: number) => string) => void][] = [
  ['a hole', (entry) => rmSync(entry(3))],
  ['the last entry is cut off', (entry) => truncateSync(entry(5), 100)],
  ['the last entry is lost', (entry) => rmSync(entry(5))],
];

let base: SmallWorkspace;
let ids: BlobId[];
beforeAll(async () => {
  ({ base, ids } = await makeSmallHistory(join(folder, 'base')));
});
afterAll(() => base.close());

test(
  'several entries at random, after tags, prunes, gc and undo: with the index all is as it was, without it every snapshot is there',
  async () => {
    const counts = { exact: 0, guessed: 0 };
    for (let n = 0; n < HISTORIES; n++) {
      const random = randomFrom(SEED + n);
      const told: string[] = [];
      const work = await base.copy();
      try {
        await live(work, random, told);
        const { repository } = work.workspace;
        const before = repository.state();
        const head = repository.head().snapshot;
        const knowsAll = random() < 0.5;
        await work.workspace.close();
        if (!knowsAll) rmSync(join(work.root, '.snap/index'), { recursive: true });
        const names = readdirSync(join(work.store, 'journal')).sort();
        let isAnother = false;
        for (let left = 1 + Math.floor(random() * 3); left > 0; left--) {
          const name = names[Math.floor(random() * names.length)] ?? '';
          const path = join(work.store, 'journal', name);
          told.push(`harm ${name}`);
          if (random() < 0.5) rmSync(path, { force: true });
          else if (existsSync(path)) {
            flipBit(path, Math.floor(random() * readFileSync(path).length));
            // What looks like the entry of a later version is refused, if the next entry does not tell.
            if (!KNOWN.test(readFileSync(path, 'latin1'))) rmSync(path);
            // It may as well be the entry of somebody who wrote on a store that was set back.
            isAnother ||= name === names.at(-1);
          }
        }
        const endIsLost = !existsSync(join(work.store, 'journal', names.at(-1) ?? ''));
        await work.reopen();
        const { remains, mend, journal } = await repair(work.workspace);
        told.push(knowsAll ? 'index' : 'no index', JSON.stringify(mend ?? journal));
        // A prune that is lost brings back what gc has swept: said, and dropped when that is asked for.
        if ((!knowsAll || isAnother) && remains)
          expect((await repair(work.workspace, { dropDamaged: true })).remains).toBe(false);
        else expect(remains).toBe(false);
        await work.reopen();
        const after = work.workspace.repository;
        expect(after.damage).toBeUndefined();
        expect(after.head().snapshot).toBe(head);
        // Where the end is lost too, nothing proves that the index is of this journal: what entries say is kept as well.
        const isSure = mend === undefined || mend.isExact || !endIsLost;
        if (knowsAll && !isAnother && isSure) {
          counts.exact++;
          expect(tableOf(after.state())).toEqual(tableOf(before));
        } else counts.guessed++;
        for (const [name, id] of before.refs) {
          if (name.startsWith('tags/')) continue;
          expect(after.state().refs.get(name), `${name}; ${JSON.stringify(mend)}`).toBe(id);
          const picture = work.pictures.get(id);
          if (picture !== undefined) expect(samePicture(await readPicture(after, id), picture)).toBe(true);
        }
        expect((await verifyAll(work.workspace)).faults).toEqual([]);
        expect(checkStore(work.store)).toEqual([]);
        await gc(work.workspace, { now: true });
        expect((await verifyAll(work.workspace)).faults).toEqual([]);
      } catch (error) {
        throw new Error(`SNAP_SEED=${SEED + n} first: ${told.join(', ')}: ${String(error)}`, { cause: error });
      } finally {
        await work.close();
      }
    }
    console.info(`histories: ${counts.exact} with the index, ${counts.guessed} without`);
  },
  TIMEOUT,
);

const KNOWN = /"format":1,.*"operation":"(?:init|commit|checkout|tag|prune|condemn|sweep|repair|undo)"/;

const tableOf = (state: StoreState): unknown => ({
  refs: new Map([...state.refs].sort()),
  packs: new Set([...state.packs.keys()].sort()),
  grafts: new Map([...state.grafts].sort()),
});

test(
  'killed at any change of the disk, and killed again: the next repair ends as well as one that was not',
  async () => {
    const script = fileURLToPath(new URL('../kit/crash/killed-repair.ts', import.meta.url));
    for (const [name, harm] of KILLED) {
      await using template = await base.copy();
      await template.workspace.close();
      harm((number) => join(template.store, 'journal', `${String(number).padStart(12, '0')}.json`));
      const run = (root: string, at: number): ReturnType<typeof spawnSync> =>
        spawnSync(process.execPath, [script, root, String(at)], { encoding: 'utf8' });
      const first = await template.copy();
      await first.workspace.close();
      const changes = Number(run(first.root, 0).stdout);
      expect(changes, name).toBeGreaterThan(10);
      const random = randomFrom(SEED);
      for (let n = 0; n < KILLS; n++) {
        await using killed = await template.copy();
        const at = [1 + Math.floor(((n + random()) * changes) / KILLS), 1 + Math.floor(random() * changes)];
        try {
          const before = storeHashes(killed.store);
          await killed.workspace.close();
          for (const change of at) run(killed.root, change);
          const after = new Set(storeHashes(killed.store).values());
          for (const [path, hash] of before)
            if (/^(journal|packs)/.test(path)) expect(after.has(hash), path).toBe(true);
          await killed.reopen();
          expect((await repair(killed.workspace)).remains).toBe(false);
          await killed.reopen();
          expect((await verifyAll(killed.workspace)).faults).toEqual([]);
          expect(checkStore(killed.store)).toEqual([]);
          const { repository } = killed.workspace;
          expect(repository.head().snapshot).toBe(ids[3]);
          expect(repository.state().refs.has('tags/v2' as never)).toBe(true);
          for (const id of ids) expect(repository.state().refs.has(snapshotRef(id))).toBe(true);
        } catch (error) {
          const where = `${name}: killed at changes ${at.join(' and ')}; SNAP_SEED=${SEED}`;
          throw new Error(`${where}: ${String(error)}`, { cause: error });
        }
      }
    }
  },
  TIMEOUT,
);
