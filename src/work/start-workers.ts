/** Makes the pool of worker threads: the script beside this file, TypeScript in a checkout, JavaScript when built. */
import { WorkerPool } from '../async/worker-pool.ts';
import type { Job, Reply } from './jobs.ts';

/** Threads that do jobs, or what stands in for them. */
export type Workers = Pick<WorkerPool<Job, Reply>, 'run' | 'warm' | 'close' | 'capacity'>;

/** Starts no thread before the first job. `threads`: how many at most. */
export function startWorkers(threads: number): Workers {
  const here = import.meta.url;
  const script = here.endsWith('.ts')
    ? new URL('./worker.ts', here)
    : new URL(here.includes('/chunks/') ? '../work/worker.js' : './work/worker.js', here);
  return new WorkerPool<Job, Reply>(script, threads);
}
