/** Carrying out a checkout: what others did meanwhile stays, what is right already is left, and one failure is one path. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { status } from '../../src/api/history.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { BLOB_KIND, blobIdOf } from '../../src/object/blob-id.ts';
import { packName } from '../../src/repo/layout.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';
import { pictureOf } from '../kit/crash/stage.ts';
import { flipBit } from '../kit/damage.ts';
import { fingerprint, noise } from '../kit/folder.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { makeSmallWorkspace, scratchFolder } from '../kit/small-workspace.ts';
import { failingDisk, meddlingDisk } from './disks.ts';

const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
let to: string;
const at = (path: string): string => join(made.root, path);
const put = (path: string, content: string | Buffer): void => {
  rmSync(at(path), { force: true });
  writeFileSync(at(path), content);
};
beforeEach(async () => {
  made = await makeSmallWorkspace(join(scratch, `work-${++serial}`));
  to = `${made.root}-out`;
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('what somebody does between the look and the change stays, and is named:', () => {
  /** From a snapshot to one before it, while `meddle` happens. */
  const checkoutWhile = async (first: string, meddle: () => void): ReturnType<typeof checkout> => {
    await made.reopen({ disk: meddlingDisk(meddle) });
    return checkout(made.workspace, { revision: first });
  };

  test('an edit of a file that was to be removed', async () => {
    made.write('stays', '');
    const first = await made.commit('first');
    made.write('goes', 'saved');
    await made.commit('second');
    const { failures, removed } = await checkoutWhile(first, () => put('goes', 'edited'));
    expect(failures).toMatchObject([{ path: 'goes', code: 'refused' }]);
    expect([removed, readFileSync(at('goes'), 'utf8')]).toEqual([0, 'edited']);
  });

  test('a removal of a file that was to be removed is what was wanted', async () => {
    made.write('stays', '');
    const first = await made.commit('first');
    made.write('goes', 'saved');
    await made.commit('second');
    const { failures, removed } = await checkoutWhile(first, () => unlinkSync(at('goes')));
    expect([failures, removed]).toEqual([[], 0]);
    expect((await status(made.workspace)).differs).toBe(false);
  });

  test('a new file in a folder that was to be removed', async () => {
    made.write('stays', '');
    const first = await made.commit('first');
    made.write('d/goes', 'saved');
    await made.commit('second');
    const { kept } = await checkoutWhile(first, () => put('d/new', 'of that moment'));
    expect(kept).toEqual(['d']);
    expect(readdirSync(at('d'))).toEqual(['new']);
  });

  test('an edit of a file whose mode was to change', async () => {
    made.write('f', 'same');
    const first = await made.commit('first');
    chmodSync(at('f'), 0o755);
    await made.commit('second');
    const { failures } = await checkoutWhile(first, () => put('f', 'edited'));
    expect(failures).toMatchObject([{ path: 'f', code: 'refused' }]);
    expect(readFileSync(at('f'), 'utf8')).toBe('edited');
  });

  test('another file where a further name of one was to be', async () => {
    made.write('a', 'shared');
    linkSync(at('a'), at('b'));
    const first = await made.commit('first');
    rmSync(at('b'));
    await made.commit('second');
    const { failures } = await checkoutWhile(first, () => put('b', 'of that moment'));
    expect(failures).toMatchObject([{ path: 'b', code: 'refused' }]);
    expect(readFileSync(at('b'), 'utf8')).toBe('of that moment');
  });
});

describe('of a file with several names', () => {
  let first: string;
  beforeEach(async () => {
    made.write('a', 'shared');
    linkSync(at('a'), at('b'));
    first = await made.commit('first');
    for (const name of ['a', 'b']) put(name, `second ${name}`);
    await made.commit('second');
  });

  test('what somebody wrote at the first one stays, and the others come back', async () => {
    await made.reopen({ disk: meddlingDisk(() => put('a', 'of that moment')) });
    const { failures } = await checkout(made.workspace, { revision: first });
    expect(failures).toMatchObject([{ path: 'a', code: 'refused' }]);
    expect(['a', 'b'].map((name) => readFileSync(at(name), 'utf8'))).toEqual(['of that moment', 'shared']);
  });

  test('no name is given to what somebody wrote at the first one while it was written', async () => {
    const inline = inlineWorkers(realDisk);
    const run: Workers['run'] = (job, ...more) => {
      if (job.kind === 'write') put('a', 'of that moment');
      return inline.run(job, ...more);
    };
    await made.reopen({}, { workers: { ...inline, run } });
    const { failures, written } = await checkout(made.workspace, { revision: first });
    expect(failures.map(({ path, code }) => [path, code]).sort()).toEqual([
      ['a', 'refused'],
      ['b', 'refused'],
    ]);
    expect(written).toBe(0);
    expect(['a', 'b'].map((name) => readFileSync(at(name), 'utf8'))).toEqual(['of that moment', 'second b']);
  });

  test('what somebody wrote at a further name while the first was written stays', async () => {
    const onProgress = (): void => put('b', 'of that moment');
    const { failures } = await checkout(made.workspace, { revision: first, onProgress });
    expect(failures).toMatchObject([{ path: 'b', code: 'refused' }]);
    expect(['a', 'b'].map((name) => readFileSync(at(name), 'utf8'))).toEqual(['shared', 'of that moment']);
  });

  test('whose bytes are lost, every name is a failure, with --force too', async () => {
    mkdirSync(to);
    for (const name of ['a', 'b']) writeFileSync(join(to, name), `mine ${name}`);
    const { repository } = made.workspace;
    const content = noise(3000, 1);
    put('a', content);
    rmSync(at('b'));
    linkSync(at('a'), at('b'));
    const noisy = await made.commit('noise');
    const lost = blobIdOf(content);
    const { pack } = await repository.blobs.locate(BLOB_KIND.data, lost);
    const path = join(made.store, packName(pack));
    flipBit(path, readFileSync(path).indexOf(content));
    const { failures } = await checkout(made.workspace, { revision: noisy, to, force: true });
    expect(failures.map(({ path: name, code }) => [name, code]).sort()).toEqual([
      ['a', 'corrupt-data'],
      ['b', 'corrupt-data'],
    ]);
    expect(['a', 'b'].map((name) => readFileSync(join(to, name), 'utf8'))).toEqual(['mine a', 'mine b']);
  });
});

test('in place, a new name for a file joins those that did not change', async () => {
  made.write('a', 'shared');
  for (const name of ['b', 'c']) linkSync(at('a'), at(name));
  const first = await made.commit('first');
  put('c', 'other');
  await made.commit('second');
  await checkout(made.workspace, { revision: first });
  expect(new Set(['a', 'b', 'c'].map((name) => lstatSync(at(name)).ino)).size).toBe(1);
  expect(readdirSync(at('.snap/tmp'))).toEqual([]);
});

describe('a call that fails', () => {
  test('for one path costs that path', async () => {
    for (const name of ['one/f', 'two/f']) made.write(name, name);
    const first = await made.commit('first');
    for (const name of ['one', 'two']) rmSync(at(name), { recursive: true });
    made.write('other', '');
    await made.commit('second');
    await made.reopen({ disk: failingDisk('makeFolder', /\/one$/, 'EIO') });
    const { failures } = await checkout(made.workspace, { revision: first });
    expect(failures.map(({ path, code }) => [path, code])).toEqual(
      expect.arrayContaining([
        ['one', 'io'],
        ['one/f', 'io'],
      ]),
    );
    expect(readFileSync(at('two/f'), 'utf8')).toBe('two/f');
    // It is said to have failed, so HEAD is where it was, and the same command finishes it.
    await made.reopen();
    expect((await checkout(made.workspace, { revision: first })).failures).toEqual([]);
    expect(pictureOf(made.root)).toEqual(made.pictures.get(first));
  });

  test('for lack of space stops all, loses nothing, and the same command finishes it', async () => {
    for (const name of ['a', 'new/f']) made.write(name, name);
    const first = await made.commit('first');
    rmSync(at('new'), { recursive: true });
    made.write('a', 'changed');
    const second = await made.commit('second');
    await made.reopen({ disk: failingDisk('makeFolder', /\/new$/, 'ENOSPC') });
    await expect(checkout(made.workspace, { revision: first })).rejects.toMatchObject({ code: 'no-space' });
    expect(made.workspace.repository.head().snapshot).toBe(second);
    await made.reopen();
    await checkout(made.workspace, { revision: first });
    expect(pictureOf(made.root)).toEqual(made.pictures.get(first));
  });
});

describe('with --force, of what is there', () => {
  test('right files stay, wrong ones are written, and times, modes and links are set right', async () => {
    for (const name of ['right', 'wrong', 'mode', 'time']) made.write(name, name);
    symlinkSync('right', at('link'));
    symlinkSync('right', at('old link'));
    symlinkSync('right', at('link elsewhere'));
    await made.commit('first');
    await checkout(made.workspace, { revision: 'HEAD', to });
    const names = ['right', 'mode', 'time', 'link', 'old link'];
    const inodes = names.map((name) => lstatSync(join(to, name)).ino);
    const wanted = fingerprint(to);
    const linkTime = lstatSync(join(to, 'old link'), { bigint: true }).mtimeNs;
    writeFileSync(join(to, 'wrong'), 'WRONG');
    chmodSync(join(to, 'mode'), 0o777);
    utimesSync(join(to, 'time'), 1, 1);
    lutimesSync(join(to, 'old link'), 1, 1);
    unlinkSync(join(to, 'link elsewhere'));
    symlinkSync('wrong', join(to, 'link elsewhere'));
    const { alreadyRight, written } = await checkout(made.workspace, { revision: 'HEAD', to, force: true });
    expect([alreadyRight, written]).toEqual([5 + 1, 2]);
    expect(names.map((name) => lstatSync(join(to, name)).ino)).toEqual(inodes);
    expect(readlinkSync(join(to, 'link elsewhere'))).toBe('right');
    expect(fingerprint(to)).toEqual(wanted);
    expect(lstatSync(join(to, 'old link'), { bigint: true }).mtimeNs).toBe(linkTime);
  });

  test('a folder of thousands of right files is compared without being written', async () => {
    for (let i = 0; i < 2300; i++) made.write(`f${i}`, '');
    await made.commit('first');
    await checkout(made.workspace, { revision: 'HEAD', to });
    const before = lstatSync(join(to, 'f7')).ino;
    const { alreadyRight, written } = await checkout(made.workspace, { revision: 'HEAD', to, force: true });
    expect([alreadyRight, written]).toEqual([2301, 0]);
    expect(lstatSync(join(to, 'f7')).ino).toBe(before);
  });

  test('a file of the same time is not newer, though times are only set to the microsecond', async () => {
    const names = Array.from({ length: 24 }, (_, i) => `f${i}`);
    for (const name of names) made.write(name, 'theirs');
    await made.commit('first');
    await checkout(made.workspace, { revision: 'HEAD', to });
    for (const name of names) {
      const { mtimeNs } = lstatSync(join(to, name), { bigint: true });
      writeFileSync(join(to, name), 'mine, longer');
      const time = `${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`;
      execFileSync('touch', ['-d', `@${time}`, join(to, name)]);
    }
    const { kept } = await checkout(made.workspace, { revision: 'HEAD', to, force: true, overwrite: 'if-newer' });
    expect([...kept].sort()).toEqual([...names].sort());
    expect(readFileSync(join(to, 'f0'), 'utf8')).toBe('mine, longer');
  });
});

describe('ended early', () => {
  /** Workers whose jobs of `kind` wait for `go`. */
  const slowWorkers = (kind: string, go: Promise<void>): { workers: Workers; begun: Promise<void> } => {
    const inline = inlineWorkers(realDisk);
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const run: Workers['run'] = async (job, ...more) => {
      if (job.kind === kind) {
        begin();
        await go;
      }
      return inline.run(job, ...more);
    };
    return { workers: { ...inline, run }, begun };
  };

  test('a large file is given up in the middle, and leaves nothing behind', async () => {
    made.write('large', noise(40_000_000, 3));
    await made.commit('first');
    const stop = new AbortController();
    const inline = inlineWorkers(realDisk);
    let segments = 0;
    const run: Workers['run'] = (job, ...more) => {
      if (job.kind === 'segment' && ++segments === 2) stop.abort('SIGINT');
      return inline.run(job, ...more);
    };
    await made.reopen({}, { workers: { ...inline, run, capacity: 1 }, signal: stop.signal });
    await expect(checkout(made.workspace, { revision: 'HEAD', to })).rejects.toMatchObject({ code: 'interrupted' });
    expect(segments).toBe(2);
    expect(readdirSync(to)).toEqual(
      [expect.stringMatching(/^\.snapignore$/), expect.stringMatching(/^\.snap-checkout-/)].reverse(),
    );
    for (const name of readdirSync(to))
      if (name !== '.snapignore') expect(readdirSync(join(to, name))).toEqual([expect.stringMatching(/-mark$/)]);
  });

  test.each([
    ['write', 'small files', 60, 100_000],
    ['segment', 'a large file', 1, 20_000_000],
  ])('a checkout waits for its workers (%s, %s): nothing is written after it', async (kind, _what, count, size) => {
    for (let i = 0; i < count; i++) made.write(`f${i}`, noise(size, 2 * i + 1));
    made.write('z', 'z');
    await made.commit('first');
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { workers, begun } = slowWorkers(kind, gate);
    const stop = new AbortController();
    await made.reopen({}, { workers: { ...workers, capacity: 1 }, signal: stop.signal });
    let ended = false;
    const running = checkout(made.workspace, { revision: 'HEAD', to }).catch((error: unknown) => error);
    const done = running.then(() => {
      ended = true;
    });
    await begun;
    stop.abort(new Error('stopped by hand'));
    await delay(30);
    const before = ended;
    go();
    await done;
    const after = fingerprint(to);
    await delay(30);
    expect(before).toBe(false);
    expect(fingerprint(to)).toEqual(after);
  });
});
