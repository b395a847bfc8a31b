/** Workers without threads: jobs are done one after the other in this thread, on the disk of the test. */
import type { Disk } from '../../../src/disk/disk.ts';
import { jobRunner } from '../../../src/work/do-job.ts';
import type { Job, Reply } from '../../../src/work/jobs.ts';
import type { Workers } from '../../../src/work/start-workers.ts';

export function inlineWorkers(disk: Disk): Workers {
  const run = jobRunner(disk);
  let last: Promise<unknown> = Promise.resolve();
  return {
    capacity: 4,
    warm: () => undefined,
    close: async () => undefined,
    run: (job: Job): Promise<Reply> => {
      const done = last.then(async () => (await run(job)).reply);
      last = done.catch(() => undefined);
      return done;
    },
  };
}
