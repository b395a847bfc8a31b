/** Worker threads that die: what the others were doing is over when their jobs are rejected. */
import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WorkerPool } from '../../src/async/worker-pool.ts';
import { newRoots } from '../repo/failing-disk.ts';

const roots = newRoots();

/** Writes into the folder of a descriptor after a while, or dies sooner. */
const THREAD = `
  import { writeFileSync } from 'node:fs';
  import { parentPort } from 'node:worker_threads';
  parentPort.on('message', ({ id, job: { fd, ms } }) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    if (fd === undefined) process.exit(9);
    writeFileSync('/proc/self/fd/' + fd + '/late', 'x');
    parentPort.postMessage({ id, reply: undefined });
  });
  parentPort.postMessage('ready');
`;

interface Job {
  readonly fd?: number;
  readonly ms: number;
}

test.skipIf(process.platform !== 'linux')(
  'nothing is written through a descriptor that was closed after the error',
  async () => {
    const [own, others] = ['own', 'others'].map((name) => join(roots.root, name)) as [string, string];
    for (const path of [own, others]) mkdirSync(path, { recursive: true });
    const pool = new WorkerPool<Job, undefined>(new URL(`data:text/javascript,${encodeURIComponent(THREAD)}`), 2);
    const fd = openSync(own, 'r');
    // Both threads are there after these.
    await Promise.all([1, 2, 3].map(() => pool.run({ fd, ms: 200 })));
    const jobs = [pool.run({ fd, ms: 600 }), pool.run({ ms: 200 })];
    const ended = await Promise.allSettled(jobs);
    expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    closeSync(fd);
    const reused = openSync(others, 'r');
    expect(reused).toBe(fd);
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(readdirSync(others)).toEqual([]);
    closeSync(reused);
    await expect(pool.run({ fd, ms: 0 })).rejects.toMatchObject({ message: 'a worker thread ended early (9)' });
    await pool.close();
  },
);
