/** One workspace used by several processes at once: who waits for whom, and what a lock left by the dead is worth. */
import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openWorkspace } from '../../src/api/workspace.ts';
import { realDisk } from '../../src/disk/disk.ts';
import type { Holder } from '../../src/disk/lock-file.ts';
import { tryLock } from '../../src/disk/lock-file.ts';
import { processEnvironment } from '../../src/environment.ts';
import { amount } from '../kit/amount.ts';
import { BIN, run, start } from '../kit/processes/run.ts';
import { ok, snap } from '../kit/snap.ts';

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'snap-one-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { holder } = processEnvironment('snap test');
const DEAD: Holder = { ...holder, id: 'd'.repeat(32), pid: 4_194_303, startTime: '1', command: 'snap commit' };

const ALIVE: Holder = { ...holder, id: 'a'.repeat(32), command: 'snap commit' };

/** What makes a command run in namespaces of its own; undefined where this user may not. */
function apart(options: string, first = 'true'): ((command: string) => string[]) | undefined {
  const words = (command: string): string[] => [...options.split(' '), 'sh', '-c', `${first} && ${command}`];
  return spawnSync('unshare', words('true')).status === 0 ? words : undefined;
}
const RENAMED = apart('-r -u', 'hostname renamed');
const CONTAINER = apart('-r -m -p -f --mount-proc');

describe('two commands in one workspace', () => {
  const root = join(folder, 'work');
  const lock = `${root}/.snap/lock`;
  beforeAll(() => {
    mkdirSync(root);
    writeFileSync(`${root}/a`, 'one');
    ok(['init'], { cwd: root });
    ok(['commit', '-m', 'first'], { cwd: root });
  });

  test('reads never wait', async () => {
    const held = tryLock(realDisk, lock, { ...holder, command: 'snap commit' });
    if (!('release' in held)) throw new Error('somebody has the lock');
    try {
      const reads = [
        'log',
        'status',
        'ls HEAD',
        'cat HEAD:a',
        'diff',
        'show',
        'tag',
        'stats',
        `checkout HEAD --to ${folder}/to`,
      ];
      await Promise.all(
        reads.map(async (read) => {
          const ran = await run([...read.split(' '), '--lock-timeout', '0'], root);
          expect(ran, read).toMatchObject({ code: 0, stderr: '' });
        }),
      );
    } finally {
      held.release();
    }
  });

  test('a second command that changes something waits for the first by name, and then fails with 11', () => {
    const held = tryLock(realDisk, lock, { ...holder, command: 'snap commit' });
    if (!('release' in held)) throw new Error('somebody has the lock');
    writeFileSync(`${root}/a`, 'two');
    try {
      const started = performance.now();
      const ran = snap(['commit', '-m', 'second', '--lock-timeout', '1'], { cwd: root });
      expect(performance.now() - started).toBeGreaterThan(1000);
      expect(ran.code).toBe(11);
      expect(ran.stderr).toContain(`waiting for \`snap commit\` (process ${process.pid}`);
      expect(ran.stderr).toContain(`the workspace is in use by \`snap commit\` (process ${process.pid}`);
      for (const args of [['checkout', 'HEAD'], ['tag', 'v1'], ['undo']])
        expect(snap([...args, '--lock-timeout', '0'], { cwd: root }).code, args.join(' ')).toBe(11);
    } finally {
      held.release();
    }
    expect(ok(['log'], { cwd: root })).not.toContain('second');
  });

  test('the second goes on as soon as the first is done', async () => {
    const held = tryLock(realDisk, lock, { ...holder, command: 'snap commit' });
    if (!('release' in held)) throw new Error('somebody has the lock');
    const second = start(['commit', '-m', 'waited', '--lock-timeout', '20'], root);
    while (!second.stderr().includes('waiting for')) await new Promise((resolve) => setTimeout(resolve, 20));
    held.release();
    expect((await second.done).code).toBe(0);
    expect(ok(['log'], { cwd: root })).toContain('waited');
    expect(existsSync(lock)).toBe(false);
  });

  test.each([
    ['of a dead process', DEAD, 0],
    ['of another boot', { ...DEAD, pid: process.pid, bootId: 'another boot' }, 0],
    ['of a process whose number is in use again', { ...DEAD, pid: process.pid }, 0],
    ['that cannot be read', 'no json', 0],
    ['of a dead process of this machine, whose name was another one', { ...DEAD, host: 'elsewhere' }, 0],
    ['of a living process of this machine, whose name was another one', { ...ALIVE, host: 'elsewhere' }, 11],
    ['of another machine', { ...DEAD, host: 'elsewhere', bootId: 'another boot' }, 11],
    ['of another name, by an older version', { ...DEAD, host: 'elsewhere', pidNamespace: undefined }, 11],
    ['of another container', { ...DEAD, pidNamespace: 'pid:[1]' }, 11],
    ['of another container and an earlier boot', { ...DEAD, pidNamespace: 'pid:[1]', bootId: 'another boot' }, 0],
  ])('a lock %s', (_what, content, code) => {
    writeFileSync(lock, typeof content === 'string' ? content : JSON.stringify(content));
    writeFileSync(`${root}/a`, `${_what}`);
    const ran = snap(['commit', '-m', 'on', '--lock-timeout', '0'], { cwd: root });
    expect(ran.code, ran.stderr).toBe(code);
    expect(existsSync(lock)).toBe(code !== 0);
    if (code !== 0 && typeof content !== 'string') {
      expect(ran.stderr).toContain(`on ${content.host})`);
      const isDead = content.pid === DEAD.pid;
      expect(ran.stderr.includes(`if nothing runs there any more, remove ${lock}.`), ran.stderr).toBe(isDead);
      expect(/it began at 20\d\d-\d\d-\d\dT.* on /.test(ran.stderr)).toBe(isDead);
    }
    rmSync(lock, { force: true });
    expect(readdirSync(`${root}/.snap`).filter((name) => name.startsWith('lock'))).toEqual([]);
  });
});

describe('a lock and a session that were left behind', () => {
  const root = join(folder, 'left');
  const lock = `${root}/.snap/lock`;
  const session = `${root}/.snap/store/locks/sessions/${'5'.repeat(32)}.json`;
  const command = (args: string): string => `exec '${process.execPath}' '${BIN}' ${args}`;
  beforeAll(() => {
    mkdirSync(root);
    writeFileSync(`${root}/a`, 'one');
    ok(['init'], { cwd: root });
    ok(['commit', '-m', 'first'], { cwd: root });
    mkdirSync(dirname(session), { recursive: true });
  });

  test.skipIf(RENAMED === undefined)('hold up nobody once the machine has another name', () => {
    writeFileSync(lock, JSON.stringify(DEAD));
    writeFileSync(session, JSON.stringify(DEAD));
    const words = RENAMED?.(`${command('tag v1')}`) ?? [];
    const ran = spawnSync('unshare', words, { cwd: root, encoding: 'utf8' });
    expect(ran.status, ran.stderr).toBe(0);
    const gc = spawnSync('unshare', RENAMED?.(command('gc')) ?? [], { cwd: root, encoding: 'utf8' });
    expect(gc.status, gc.stderr).toBe(0);
    expect(existsSync(session)).toBe(false);
  });

  test.skipIf(CONTAINER === undefined)('in another container they are not taken for those of the dead', () => {
    writeFileSync(lock, JSON.stringify(ALIVE));
    const words = CONTAINER?.(command('tag v2 --lock-timeout 0')) ?? [];
    const ran = spawnSync('unshare', words, { cwd: root, encoding: 'utf8' });
    expect(ran.status, ran.stderr).toBe(11);
    expect(ran.stderr).toContain('cannot be told from here');
    expect(existsSync(lock)).toBe(true);
    rmSync(lock);
  });

  test.skipIf(CONTAINER === undefined)(
    'an index is left to the container that has it, and used once that is gone',
    async () => {
      const marker = `${root}/.snap/index-in-use`;
      const status = (): ReturnType<typeof spawnSync> =>
        spawnSync('unshare', CONTAINER?.(command('status')) ?? [], { cwd: root, encoding: 'utf8' });
      writeFileSync(`${root}/.snap/index/same`, '');
      const workspace = await openWorkspace(root);
      const before = readFileSync(marker, 'utf8');
      expect(status()).toMatchObject({ status: 0, stderr: '' });
      expect(readFileSync(marker, 'utf8')).toBe(before);
      await workspace.close();
      writeFileSync(marker, before);
      expect(status()).toMatchObject({ status: 0, stderr: '' });
      expect(existsSync(marker)).toBe(false);
      expect(existsSync(`${root}/.snap/index/same`)).toBe(true);
    },
  );

  test.each([
    ['another machine', { ...DEAD, host: 'elsewhere', bootId: 'another boot' }],
    ['another container', { ...DEAD, pidNamespace: 'pid:[1]' }],
  ])('packs wait for a session of %s, and gc promises nothing', (_where, holderThere) => {
    writeFileSync(`${root}/a`, _where);
    ok(['commit', '-m', 'garbage'], { cwd: root });
    ok(['undo'], { cwd: root });
    writeFileSync(session, JSON.stringify(holderThere));
    // An undone commit stays for seven days.
    ok(['commit', '-m', 'again'], { cwd: root });
    writeFileSync(`${root}/a`, `${_where} 2`);
    ok(['commit', '-m', 'last'], { cwd: root });
    const said = ok(['gc', '--keep-last', '1'], { cwd: root });
    expect(said).toContain(`whether that still runs on ${holderThere.host} cannot be told from here`);
    expect(said).toContain('--now does not wait for it');
    expect(said).not.toContain('next gc');
    expect(snap(['gc'], { cwd: root }).stderr).toContain(`remove ${session}.`);
    expect(ok(['gc', '--now'], { cwd: root })).not.toContain('wait');
    rmSync(session);
  });

  test('a living session of this machine under another name is waited for as before', () => {
    writeFileSync(`${root}/a`, 'three');
    ok(['commit', '-m', 'three'], { cwd: root });
    writeFileSync(session, JSON.stringify({ ...ALIVE, host: 'elsewhere' }));
    expect(ok(['gc', '--keep-last', '1'], { cwd: root })).toContain('the next gc frees them');
    rmSync(session);
  });
});

describe('8 processes and one stale lock', () => {
  test(
    'at most one of them holds it at a time, and each of them gets it',
    async () => {
      const rounds = amount({ sample: 6, ordinary: 100, long: 1000 });
      const locks = join(folder, 'locks');
      mkdirSync(locks);
      const breakers = Array.from({ length: 8 }, () => new Breaker(locks, rounds));
      await Promise.all(breakers.map((breaker) => breaker.line()));
      for (let round = 0; round < rounds; round++) {
        writeFileSync(`${locks}/${round}`, JSON.stringify({ ...DEAD, id: `${round}`.padStart(32, 'd') }));
        const clashes = await Promise.all(breakers.map((breaker) => breaker.go()));
        expect(clashes, `round ${round}`).toEqual(clashes.map(() => 0));
        const took = readFileSync(`${locks}/${round}.log`, 'utf8').trim().split('\n');
        expect(new Set(took).size, `round ${round}`).toBe(8);
        rmSync(`${locks}/${round}.log`);
        expect(readdirSync(locks), `left after round ${round}`).toEqual([]);
      }
      for (const breaker of breakers) breaker.end();
    },
    amount({ sample: 60_000, ordinary: 180_000, long: 1_800_000 }),
  );
});

const BREAKER = fileURLToPath(new URL('../kit/processes/lock-breaker.ts', import.meta.url));

/** One of the processes; each line to it is a round, each line from it the clashes that it has seen. */
class Breaker {
  readonly #child: ChildProcess;
  #said = '';
  #heard: (() => void) | undefined;

  constructor(locks: string, rounds: number) {
    this.#child = spawn(process.execPath, [BREAKER, locks, String(rounds)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout?.on('data', (bytes) => {
      this.#said += String(bytes);
      this.#heard?.();
    });
    this.#child.on('exit', () => this.#heard?.());
  }

  async go(): Promise<number> {
    this.#child.stdin?.write('go\n');
    return Number(await this.line());
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#said.indexOf('\n');
      if (end >= 0) {
        const line = this.#said.slice(0, end);
        this.#said = this.#said.slice(end + 1);
        return line;
      }
      if (this.#child.exitCode !== null) throw new Error(`a process ended with ${this.#child.exitCode}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  end(): void {
    this.#child.kill();
  }
}
