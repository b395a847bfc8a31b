import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { gc, previewGc } from '../../src/api/gc.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { SnapError } from '../../src/errors.ts';
import { gc as gcIn } from '../../src/gc/gc.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import type { EntryDraft } from '../../src/repo/journal.ts';
import { readEntry } from '../../src/repo/journal.ts';
import type { Repository } from '../../src/repo/repository.ts';
import { resolveRevision } from '../../src/repo/revision.ts';
import { beginSession } from '../../src/repo/session.ts';
import { flipBit, packBytes, packPaths, verifyAll } from '../kit/damage.ts';
import { noise as oddNoise } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

const MB = 1_000_000;
/** Different for each seed; the kit's is so for odd ones. */
const noise = (length: number, seed: number): Buffer => oddNoise(length, 2 * seed + 1);

let made: TestWorkspace;
const store = (): string => join(made.root, '.snap/store');
const operations = async (): Promise<string[]> => {
  const { backend } = made.workspace.repository;
  const found: string[] = [];
  for (let number = 1; ; number++) {
    const next = await readEntry(backend, number);
    if (next === undefined) return found;
    found.push(next.entry.operation);
  }
};
/** Snapshots that each replace the same file of 1 MB that nothing else needs, and a small one. */
const series = async (count: number): Promise<void> => {
  for (let i = 1; i <= count; i++) {
    made.write('big', noise(MB, i));
    made.write('small', `version ${i}`);
    await made.commit(`number ${i}`);
  }
};
const isClean = async (): Promise<void> => {
  const { faults, structure } = await verifyAll(made.workspace);
  expect(faults).toEqual([]);
  expect(structure.index).toMatchObject({ missing: 0, wrong: 0 });
};
const session = (): { end(): void } => beginSession(processEnvironment('a reader'), made.workspace.repository.backend);

beforeEach(async () => {
  made = await makeWorkspace({ files: { 'd/kept': 'kept by all', 'd/e/f': 'too' } });
});
afterEach(() => made.cleanup());

describe('pruning', () => {
  test('without rules prunes nothing and frees nothing', async () => {
    await series(3);
    const before = packBytes(store());
    const result = await gc(made.workspace);
    expect(result).toMatchObject({ pruned: [], freedBytes: 0 });
    expect(packBytes(store())).toBe(before);
    expect(made.workspace.repository.state().refs.size).toBe(3);
  });

  test('frees what only the pruned snapshots hold, and the rest comes back byte for byte', async () => {
    await series(5);
    const before = packBytes(store());
    const result = await gc(made.workspace, { rules: { keepLast: 2 } });
    expect(result.pruned.map(({ snapshot }) => snapshot.message)).toEqual(['number 3', 'number 2', 'number 1']);
    expect(result.freedBytes).toBe(before - packBytes(store()));
    expect(result.freedBytes).toBeGreaterThan(2.9 * MB);
    expect(result.freedBytes).toBeLessThan(3.1 * MB);
    await isClean();
    await checkout(made.workspace, { revision: 'HEAD~1' });
    expect(readFileSync(join(made.root, 'big')).equals(noise(MB, 4))).toBe(true);
    expect(made.read('d/kept')).toBe('kept by all');
    expect((await operations()).filter((operation) => operation !== 'commit')).toEqual([
      'init',
      'prune',
      'condemn',
      'sweep',
      'checkout',
    ]);
  });

  test('a second run has nothing to do and publishes nothing', async () => {
    await series(3);
    await gc(made.workspace, { rules: { keepLast: 1 } });
    const before = await operations();
    const result = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(result).toMatchObject({ pruned: [], freedBytes: 0, condemnedPacks: 0, sweptPacks: 0 });
    expect(await operations()).toEqual(before);
  });

  test('keeps tagged snapshots and HEAD, and ancestry steps over what went', async () => {
    await series(4);
    await tag(made.workspace, 'v1', { revision: 'HEAD~3' });
    const oldest = await resolveRevision(made.workspace.repository, 'v1');
    await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(await resolveRevision(made.workspace.repository, 'HEAD~1')).toBe(oldest);
    await isClean();
  });

  test('a checkout moves what HEAD protects', async () => {
    await series(3);
    const target = await resolveRevision(made.workspace.repository, 'HEAD~2');
    await checkout(made.workspace, { revision: target });
    const { pruned } = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(pruned.map(({ snapshot }) => snapshot.message)).toEqual(['number 2']);
  });

  test('refuses rules that keep nothing, and changes nothing', async () => {
    await series(2);
    const before = await operations();
    await expect(gc(made.workspace, { rules: { keepTag: ['typo'] } })).rejects.toMatchObject({ code: 'refused' });
    expect(await operations()).toEqual(before);
  });

  test('keep-under prunes oldest first until the store fits', async () => {
    await series(6);
    const limit = 3.5 * MB;
    const preview = await previewGc(made.workspace, { rules: { keepUnder: limit } });
    const result = await gc(made.workspace, { rules: { keepUnder: limit } });
    expect(result.pruned.map(({ snapshot }) => snapshot.message)).toEqual(['number 3', 'number 2', 'number 1']);
    expect(preview.verdicts.filter(({ keep }) => !keep).map(({ id }) => id)).toEqual(result.pruned.map(({ id }) => id));
    expect(packBytes(store())).toBeLessThan(limit);
    expect(result.overBytes).toBe(0);
    await isClean();
  });

  test('keep-under rewrites packs of which little is dead if it must', async () => {
    made.write('large', noise(4 * MB, 99));
    made.write('big', noise(0.6 * MB, 1));
    await made.commit('one');
    made.write('big', noise(0.6 * MB, 2));
    await made.commit('two');
    await gc(made.workspace, { rules: { keepUnder: 5 * MB } });
    expect(packBytes(store())).toBeLessThan(5 * MB);
    await isClean();
  });

  test('a keep-under that what must stay is over already prunes nothing in vain, and says by how much', async () => {
    await series(2);
    const result = await gc(made.workspace, { rules: { keepUnder: 1000 } });
    expect(result.pruned).toHaveLength(0);
    expect(result.overBytes).toBeGreaterThan(0.9 * MB);
  });

  test('what an undo took the ref of can come back for a week, unless nothing is to be spared', async () => {
    await made.commit('stays', { tag: 'stays' }).catch(() => undefined);
    made.write('more', noise(MB, 77));
    const undone = await made.commit('undone');
    const isThere = (): boolean => made.workspace.repository.state().refs.has(snapshotRef(undone));
    const first = await undo(made.workspace);
    await gc(made.workspace);
    await undo(made.workspace, { operation: first.id });
    expect(isThere()).toBe(true);
    await isClean();

    await undo(made.workspace);
    expect(isThere()).toBe(false);
    expect((await gc(made.workspace, { now: true })).freedBytes).toBeGreaterThan(0.9 * MB);
    // What is gone does not hinder the next gc, which would spare it.
    await gc(made.workspace);
    await isClean();
  });

  test('leaves the snapshots of other workspaces of the store alone, unless told', async () => {
    await series(3);
    const other = await makeWorkspace({ store: store(), files: { other: '1' } });
    try {
      await other.commit('other one');
      other.write('other', '2');
      await other.commit('other two');
      await made.workspace.repository.refresh();
      await gc(made.workspace, { rules: { keepLast: 1 } });
      expect(made.workspace.repository.state().refs.size).toBe(3);
      await gc(made.workspace, { rules: { keepLast: 1 }, all: true });
      expect(made.workspace.repository.state().refs.size).toBe(2);
      expect((await verifyAll(other.workspace)).faults).toEqual([]);
    } finally {
      await other.cleanup();
    }
  });
});

describe('the preview', () => {
  test('tells what a run then frees, and changes nothing', async () => {
    await series(4);
    const before = await operations();
    const packs = packPaths(store());
    const preview = await previewGc(made.workspace, { rules: { keepLast: 2 } });
    expect(await operations()).toEqual(before);
    expect(packPaths(store())).toEqual(packs);
    const result = await gc(made.workspace, { rules: { keepLast: 2 } });
    expect(Math.abs(preview.freeBytes - result.freedBytes)).toBeLessThan(2000);
    expect(Math.abs(preview.heldBytes - result.freedBytes)).toBeLessThan(5000);
  });

  test('gives a reason for every snapshot', async () => {
    await series(2);
    const { verdicts } = await previewGc(made.workspace, { rules: { keepLast: 1 } });
    expect(verdicts.map(({ keep, reasons }) => [keep, reasons])).toEqual([
      [true, ['HEAD', 'last 1']],
      [false, ['no rule']],
    ]);
  });
});

describe('rewriting', () => {
  test('moves what is live out of packs that are mostly dead', async () => {
    made.write('live', noise(300_000, 1));
    made.write('dead', noise(2 * MB, 2));
    await made.commit('both');
    made.remove('dead');
    await made.commit('one');
    const result = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(result.rewrittenPacks).toBe(1);
    expect(packBytes(store())).toBeLessThan(310_000);
    await isClean();
    await checkout(made.workspace, { revision: 'HEAD', to: join(made.root, '../out') });
    expect(readFileSync(join(made.root, '../out/live')).equals(noise(300_000, 1))).toBe(true);
  });

  test('leaves packs alone of which little is dead', async () => {
    made.write('live', noise(2 * MB, 1));
    made.write('dead', noise(100_000, 2));
    await made.commit('both');
    made.remove('dead');
    await made.commit('one');
    expect(await gc(made.workspace, { rules: { keepLast: 1 } })).toMatchObject({ rewrittenPacks: 0, freedBytes: 0 });
  });

  test('puts many small packs together', async () => {
    for (let i = 0; i < 12; i++) {
      made.write(`file ${i}`, `content ${i}`);
      await made.commit(`${i}`);
    }
    expect(packPaths(store())).toHaveLength(12);
    await gc(made.workspace);
    expect(packPaths(store())).toHaveLength(1);
    await isClean();
    await made.reopen();
    await isClean();
  });

  test('keeps a pack whose live data is damaged, and says so', async () => {
    made.write('live', noise(500_000, 1));
    made.write('dead', noise(2 * MB, 2));
    await made.commit('both');
    made.remove('dead');
    await made.commit('one');
    const [pack = ''] = packPaths(store());
    const bytes = readFileSync(pack);
    const at = bytes.indexOf(noise(500_000, 1).subarray(1000, 1032));
    expect(at).toBeGreaterThan(0);
    flipBit(pack, at);
    const result = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(result.damaged).toHaveLength(1);
    expect(existsSync(pack)).toBe(true);
    flipBit(pack, at);
    await isClean();
  });
});

describe('waiting', () => {
  test('a reader at work postpones the sweep; the next run, or --now, frees', async () => {
    await series(3);
    const reader = session();
    const first = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(first.waiting).toMatchObject({ reason: 'sessions' });
    expect(first.waiting?.sessions[0]).toContain('a reader');
    expect(first.sweptPacks).toBe(0);
    expect(packBytes(store())).toBeGreaterThan(2.9 * MB);
    reader.end();
    const second = await gc(made.workspace);
    expect(second.freedBytes).toBeGreaterThan(1.9 * MB);
    await isClean();
  });

  test('gc.grace keeps what was pruned for undo, until --now', async () => {
    await series(3);
    const config = join(made.root, '.snap/config.toml');
    writeFileSync(config, readFileSync(config, 'utf8').replace('[gc]', '[gc]\ngrace = "7d"'));
    await made.reopen();
    const first = await gc(made.workspace, { rules: { keepLast: 1 } });
    expect(first.waiting).toMatchObject({ reason: 'grace' });
    expect((await previewGc(made.workspace, {})).grace).toEqual({ months: 0, milliseconds: 7 * 86_400_000 });
    expect((await previewGc(made.workspace, { now: true })).grace).toBeUndefined();
    await undo(made.workspace);
    expect(made.workspace.repository.state().refs.size).toBe(3);
    await isClean();
    // What came back lies in condemned packs: it moves to new ones, and nothing is lost.
    const again = await gc(made.workspace, { now: true });
    expect(again.sweptPacks).toBeGreaterThan(0);
    expect(made.workspace.repository.state().condemned.size).toBe(0);
    await isClean();
    await gc(made.workspace, { rules: { keepLast: 1 }, now: true });
    expect(packBytes(store())).toBeLessThan(1.1 * MB);
    await isClean();
  });
});

describe('beside others', () => {
  /** Runs `meddle` right before the first entry of `operation` is published. */
  const meddling = (operation: EntryDraft['operation'], meddle: () => Promise<unknown>): Repository => {
    const { repository } = made.workspace;
    let done = false;
    return {
      ...repository,
      publish: async (draft, changes, check) => {
        if (draft.operation === operation && !done) {
          done = true;
          await meddle();
        }
        return repository.publish(draft, changes, check);
      },
    };
  };
  const run = (repository: Repository): ReturnType<typeof gcIn> =>
    gcIn(repository, made.workspace.workers, {
      rules: { keepLast: 1 },
      all: false,
      now: true,
      signal: undefined,
      progress: () => undefined,
      exclusively: (work) => made.workspace.exclusively(work),
    });

  test.each([
    'prune',
    'condemn',
    'sweep',
  ] as const)('a commit that uses dying data again right before the %s entry loses nothing', async (operation) => {
    await series(3);
    const other = await makeWorkspace({ store: store() });
    try {
      // It knows the packs that are about to go, and publishes first.
      other.write('again', noise(MB, 1));
      await run(meddling(operation, () => other.commit('uses it again')));
      await made.workspace.repository.refresh();
      await isClean();
      await checkout(other.workspace, { revision: 'HEAD', to: join(made.root, '../out') });
      expect(readFileSync(join(made.root, '../out/again')).equals(noise(MB, 1))).toBe(true);
      // The next run tidies up what that left.
      await gc(made.workspace, { now: true });
      expect(made.workspace.repository.state().condemned.size).toBe(0);
      await isClean();
    } finally {
      await other.cleanup();
    }
  });

  test('a commit that comes second stores again what the sweep took', async () => {
    await series(3);
    const other = await makeWorkspace({ store: store() });
    try {
      await gc(made.workspace, { rules: { keepLast: 1 }, now: true });
      // This process still has the state from before: its number is taken, and it meets the sweep.
      other.write('again', noise(MB, 1));
      const { repository } = other.workspace;
      expect(repository.state().number).toBeLessThan(made.workspace.repository.state().number);
      await other.commit('knew the packs that are gone');
      expect((await verifyAll(other.workspace)).faults).toEqual([]);
    } finally {
      await other.cleanup();
    }
  });

  test.each([
    'condemn',
    'sweep',
  ] as const)('another gc that publishes right before the %s entry does no harm', async (operation) => {
    await series(4);
    const other = await makeWorkspace({ store: store() });
    try {
      const second = (): Promise<unknown> => {
        // The lock is only to spare work: take it away.
        rmSync(join(store(), 'locks/gc'), { force: true });
        return gc(other.workspace, { now: true });
      };
      await run(meddling(operation, second));
      await isClean();
      expect(made.workspace.repository.state().condemned.size).toBe(0);
      expect(packBytes(store())).toBeLessThan(1.1 * MB);
    } finally {
      await other.cleanup();
    }
  });

  test('one gc at a time', async () => {
    await series(2);
    const other = await makeWorkspace({ store: store() });
    try {
      let refused: unknown;
      await run(
        meddling('sweep', async () => {
          refused = await gc(other.workspace).catch((error: unknown) => error);
        }),
      );
      expect((refused as SnapError).code).toBe('locked');
    } finally {
      await other.cleanup();
    }
  });
});

describe('missing metadata stops every deletion', () => {
  const damageTreeOf = async (revision: string): Promise<void> => {
    const { repository } = made.workspace;
    const { tree } = await repository.trees.snapshot(await resolveRevision(repository, revision));
    const { pack, blockOffset } = await repository.blobs.locate(3, tree);
    const path = join(store(), 'packs', pack.slice(0, 2), `${pack}.pack`);
    chmodSync(path, 0o600);
    flipBit(path, blockOffset + 30);
  };

  test('a damaged tree of what stays: no ref goes either', async () => {
    await series(3);
    await damageTreeOf('HEAD');
    const [packs, done, refs] = [packPaths(store()), await operations(), [...made.workspace.repository.state().refs]];
    await expect(gc(made.workspace, { rules: { keepLast: 1 } })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(packPaths(store())).toEqual(packs);
    expect(await operations()).toEqual(done);
    expect([...made.workspace.repository.state().refs]).toEqual(refs);
  });

  test('but not a damaged tree of what goes', async () => {
    await series(3);
    await damageTreeOf('HEAD~1');
    expect(await gc(made.workspace, { rules: { keepLast: 1 } })).toMatchObject({ pruned: [{}, {}] });
    await isClean();
  });

  test('a lost pack of which something is needed', async () => {
    await series(3);
    const [pack = ''] = packPaths(store());
    rmSync(pack);
    const before = packPaths(store());
    await expect(gc(made.workspace, { rules: { keepLast: 3 } })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(packPaths(store())).toEqual(before);
  });

  test('a journal that was cut off', async () => {
    await series(3);
    const journal = join(store(), 'journal');
    const last = readdirSync(journal).sort().at(-1) ?? '';
    rmSync(join(journal, last));
    await expect(gc(made.workspace, { rules: { keepLast: 1 } })).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(packPaths(store())).toHaveLength(3);
  });
});

describe('leftovers', () => {
  const leave = (): string => {
    const id = 'ab'.repeat(16);
    const path = join(store(), 'packs/ab', `${id}.pack`);
    rmSync(join(store(), 'packs/ab'), { recursive: true, force: true });
    made.write('.snap/store/packs/ab/keep', '');
    writeFileSync(path, noise(1000, 5));
    return path;
  };

  test('packs in no journal entry and staged files of the dead go', async () => {
    await series(1);
    const path = leave();
    const staged = join(store(), 'tmp', `${'cd'.repeat(16)}.pack`);
    made.write('.snap/store/tmp/keep', '');
    writeFileSync(staged, 'half a pack');
    const { leftovers } = await gc(made.workspace);
    expect(leftovers).toEqual({ files: 2, bytes: 1011 });
    expect(existsSync(path)).toBe(false);
    expect(existsSync(staged)).toBe(false);
    await isClean();
  });

  test('they stay while a session is alive, even with --now', async () => {
    await series(1);
    const path = leave();
    const writer = session();
    await gc(made.workspace, { now: true });
    expect(existsSync(path)).toBe(true);
    writer.end();
    await gc(made.workspace);
    expect(existsSync(path)).toBe(false);
  });

  test('a sweep that died before it removed files is finished', async () => {
    await series(3);
    const copies = packPaths(store()).map((path) => ({ path, bytes: readFileSync(path) }));
    await gc(made.workspace, { rules: { keepLast: 1 } });
    const after = packPaths(store());
    for (const { path, bytes } of copies) if (!existsSync(path)) writeFileSync(path, bytes);
    expect(packPaths(store()).length).toBeGreaterThan(after.length);
    await gc(made.workspace);
    expect(packPaths(store()).sort()).toEqual(after.sort());
  });
});
