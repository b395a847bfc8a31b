/**
 * Runs exams in a child process, since a damaged index can abort the process that reads it, and a loop could hang it. The
 * child is used for many exams and started again when it died or took too long.
 */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import type { ExamAnswer, ExamQuestion } from './exam.ts';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const HANG_MS = 10_000;
/** Before the first answer the child loads its code. */
const START_MS = 60_000;

export type Outcome = { readonly answer: ExamAnswer } | { readonly died: string };

export class Examiner {
  /** Bundled: the threads of an exam then start three times as fast. Inside the project, where packages are found. */
  readonly #built = bundle();
  #child: ChildProcess | undefined;

  async ask(question: ExamQuestion): Promise<Outcome> {
    const isNew = this.#child === undefined;
    const child =
      this.#child ??
      fork(`${this.#built}/exam-process.js`, {
        execArgv: [],
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        env: process.env,
      });
    this.#child = child;
    let errors = '';
    const collect = (piece: Buffer): void => {
      errors = (errors + piece.toString()).slice(-2000);
    };
    child.stderr?.on('data', collect);
    const outcome = await new Promise<Outcome>((resolve) => {
      const timer = setTimeout(() => resolve({ died: 'it hangs' }), isNew ? START_MS : HANG_MS);
      const done = (result: Outcome): void => {
        clearTimeout(timer);
        child.removeAllListeners('message');
        child.removeAllListeners('exit');
        resolve(result);
      };
      child.once('message', (answer) => done({ answer: answer as ExamAnswer }));
      child.once('exit', (code, signal) => done({ died: `${signal ?? code}: ${errors}` }));
      child.send(question);
    });
    child.stderr?.off('data', collect);
    if ('died' in outcome) this.#stop();
    return outcome;
  }

  end(): void {
    this.#stop();
    rmSync(this.#built, { recursive: true, force: true });
  }

  #stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

function bundle(): string {
  mkdirSync(`${PROJECT}node_modules/.cache`, { recursive: true });
  const outdir = mkdtempSync(`${PROJECT}node_modules/.cache/snap-exam-`);
  buildSync({
    entryPoints: {
      'exam-process': `${PROJECT}test/danger/corruption/exam-process.ts`,
      'work/worker': `${PROJECT}src/work/worker.ts`,
      'index/index-check': `${PROJECT}src/index/index-check.ts`,
    },
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['level', 'zstd-codec'],
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
  });
  return outdir;
}
