/**
 * Takes the place of src/work/start-workers.ts in tests: threads run the script that users run, not its TypeScript.
 * To load TypeScript costs each thread 12 ms, and Node's WebAssembly for it aborts the process once in some thousand
 * threads (V8 13.6, "Check failed: jit_page.has_value()" where a wrapper is tiered up; nodejs/node#64500).
 */
import { WorkerPool } from '../../src/async/worker-pool.ts';
import type { Job, Reply } from '../../src/work/jobs.ts';
import type { Workers } from '../../src/work/start-workers.ts';

const SCRIPT = new URL('../../dist/work/worker.js', import.meta.url);

export const startWorkers = (threads: number): Workers => new WorkerPool<Job, Reply>(SCRIPT, threads);
