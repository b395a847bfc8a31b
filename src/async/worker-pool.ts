/**
 * A fixed number of worker threads that run one kind of jobs. Each worker holds at most JOBS_PER_WORKER jobs, so that
 * it never waits for the main thread between two; the rest queue here, urgent ones first. A worker that dies ends the
 * others and fails every job. SnapErrors cross the thread border with code, hint and context.
 */
import { parentPort, Worker } from 'node:worker_threads';
import type { ErrorCode } from '../errors.ts';
import { fromSystemError, lacksDescriptors, SnapError } from '../errors.ts';

const JOBS_PER_WORKER = 2;
/** A thread takes 100 ms to start: another one is, once this many jobs found all of them busy. */
const CROWDED_MAX = 1;
/** Small, so that buffers of a megabyte each are collected often: what they hold is outside the heap. */
const YOUNG_GENERATION_MB = 4;

interface Queued<Job, Reply> {
  readonly job: Job;
  readonly transfer: readonly ArrayBuffer[];
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

interface Member<Job, Reply> {
  readonly worker: Worker;
  readonly running: Map<number, Queued<Job, Reply>>;
  /** It has loaded its script. */
  ready: boolean;
}

interface Answer {
  readonly id: number;
  readonly reply?: unknown;
  readonly error?: {
    code: ErrorCode;
    message: string;
    hint?: string;
    context: Record<string, unknown>;
    stack?: string;
  };
}

export class WorkerPool<Job, Reply> {
  readonly #script: URL;
  readonly #size: number;
  readonly #members: Member<Job, Reply>[] = [];
  readonly #urgent: Queued<Job, Reply>[] = [];
  readonly #queue: Queued<Job, Reply>[] = [];
  #nextId = 1;
  #crowded = 0;
  #failure: unknown;
  /** No thread runs any more of those that a failure ended. */
  #ended: Promise<void> = Promise.resolve();

  /** Starts no thread before the first job. */
  constructor(script: URL, size: number) {
    this.#script = script;
    this.#size = size;
  }

  get capacity(): number {
    return this.#size * JOBS_PER_WORKER;
  }

  /** Starts a thread, if none runs yet, so that it is ready when the first job comes. */
  warm(): void {
    if (this.#members.length === 0 && this.#failure === undefined) this.#start();
  }

  /** Runs a job; buffers in `transfer` are moved, not copied. */
  run(job: Job, transfer: readonly ArrayBuffer[] = [], urgent = false): Promise<Reply> {
    if (this.#failure !== undefined) return this.#ended.then(() => Promise.reject(this.#failure));
    return new Promise((resolve, reject) => {
      (urgent ? this.#urgent : this.#queue).push({ job, transfer, resolve, reject });
      this.#dispatch();
    });
  }

  /** Ends the threads; jobs not done are rejected as interrupted. */
  async close(): Promise<void> {
    const closed = new SnapError('refused', 'the workspace is closed', { hint: 'Open it again with openWorkspace.' });
    this.#fail(new SnapError('interrupted', 'the work was stopped'), closed);
    await this.#ended;
  }

  #dispatch(): void {
    for (;;) {
      const queued = this.#urgent[0] ?? this.#queue[0];
      if (queued === undefined) return;
      const member = this.#leastBusy();
      if (member === undefined) return;
      if (this.#urgent.length > 0) this.#urgent.shift();
      else this.#queue.shift();
      const id = this.#nextId++;
      member.running.set(id, queued);
      member.worker.postMessage({ id, job: queued.job }, [...queued.transfer]);
    }
  }

  /** Who takes the next job; undefined if everybody has enough. */
  #leastBusy(): Member<Job, Reply> | undefined {
    const ready = this.#members.filter((member) => member.ready);
    let best = ready[0] ?? this.#members[0] ?? this.#start();
    for (const member of ready) if (member.running.size < best.running.size) best = member;
    if (best.running.size > 0 && this.#members.length < this.#size && ++this.#crowded > CROWDED_MAX) this.#start();
    return best.running.size < JOBS_PER_WORKER ? best : undefined;
  }

  #start(): Member<Job, Reply> {
    const worker = new Worker(this.#script, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
    const member: Member<Job, Reply> = { worker, running: new Map(), ready: false };
    worker.on('message', (answer: Answer | 'ready') => {
      if (answer !== 'ready') return this.#settle(member, answer);
      member.ready = true;
      this.#dispatch();
    });
    worker.on('error', (error) => this.#fail(threadFailure(error)));
    worker.on('exit', (code) => {
      if (member.running.size > 0) this.#fail(new SnapError('internal', `a worker thread ended early (${code})`));
    });
    this.#members.push(member);
    return member;
  }

  #settle(member: Member<Job, Reply>, answer: Answer): void {
    const queued = member.running.get(answer.id);
    member.running.delete(answer.id);
    this.#dispatch();
    if (answer.error === undefined) queued?.resolve(answer.reply as Reply);
    else {
      const { code, message, hint, context, stack } = answer.error;
      queued?.reject(new SnapError(code, message, { context, cause: stack, ...(hint === undefined ? {} : { hint }) }));
    }
  }

  /**
   * Ends all threads, and only then rejects their jobs: who gets the error closes descriptors that threads write through.
   * `later`: what jobs that come from now on are told.
   */
  #fail(error: unknown, later = error): void {
    this.#failure ??= later;
    const open = [...this.#urgent.splice(0), ...this.#queue.splice(0)];
    const members = this.#members.splice(0);
    for (const { running } of members) {
      open.push(...running.values());
      running.clear();
    }
    const ends = members.map(({ worker }) => worker.terminate());
    this.#ended = Promise.all([this.#ended, ...ends]).then(() => {
      for (const queued of open) queued.reject(error);
    });
  }
}

function threadFailure(error: unknown): SnapError {
  if (lacksDescriptors(error)) return fromSystemError(error, 'starting', 'a worker thread');
  const reason = error instanceof Error ? error.message : String(error);
  return new SnapError('internal', `a worker thread failed: ${reason}`, { cause: error });
}

/** In a worker: answers each job with what `work` returns; `transfer` lists the buffers to move. */
export function serveJobs<Job, Reply>(
  work: (job: Job) => Promise<{ reply: Reply; transfer: readonly ArrayBuffer[] }>,
): void {
  const port = parentPort;
  if (port === null) throw new SnapError('internal', 'serveJobs runs in worker threads only');
  let last = Promise.resolve();
  port.postMessage('ready');
  port.on('message', ({ id, job }: { id: number; job: Job }) => {
    last = last.then(async () => {
      try {
        const { reply, transfer } = await work(job);
        port.postMessage({ id, reply }, [...transfer]);
      } catch (error) {
        port.postMessage({ id, error: describe(error) });
      }
    });
  });
}

function describe(error: unknown): NonNullable<Answer['error']> {
  if (error instanceof SnapError) {
    return {
      code: error.code,
      message: error.message,
      context: { ...error.context },
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.stack === undefined ? {} : { stack: error.stack }),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'internal',
    message,
    context: {},
    ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}),
  };
}
