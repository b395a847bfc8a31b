/**
 * Checks indexes as the real environment does, in a process apart, but in one for all: thousands of crash states would
 * spend most of their time with starting one each. Every twentieth is checked by the real one.
 */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { checkIndexApart } from '../../../src/index/check-apart.ts';
import type { IndexVerdict } from '../../../src/index/index-sound.ts';

const program = fileURLToPath(new URL('./index-checker-process.ts', import.meta.url));
const TIMEOUT_MS = 60_000;
const REAL_EVERY = 20;

let child: ChildProcess | undefined;
let count = 0;

export function checkIndex(path: string): Promise<IndexVerdict> {
  if (count++ % REAL_EVERY === 0) return checkIndexApart(path);
  child ??= start();
  const checker = child;
  return new Promise((resolve) => {
    const answer = (verdict: IndexVerdict): void => {
      clearTimeout(timer);
      checker.off('message', heard);
      checker.off('exit', died);
      resolve(verdict);
    };
    const heard = (told: unknown): void => {
      const { path: of, verdict } = told as { path: string; verdict: IndexVerdict };
      if (of === path) answer(verdict);
    };
    const died = (): void => {
      if (child === checker) child = undefined;
      answer('damaged');
    };
    const timer = setTimeout(() => {
      checker.kill('SIGKILL');
      answer('unknown');
    }, TIMEOUT_MS);
    checker.on('message', heard);
    checker.on('exit', died);
    checker.send(path);
  });
}

/** It does not keep this process alive, and ends with it. */
function start(): ChildProcess {
  const started = fork(program, { execArgv: [], stdio: 'ignore' });
  started.unref();
  started.channel?.unref();
  return started;
}
