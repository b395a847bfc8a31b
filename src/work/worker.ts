/** The script of every worker thread: takes jobs, does them with the real disk, answers. */
import { serveJobs } from '../async/worker-pool.ts';
import { realDisk } from '../disk/disk.ts';
import { jobRunner } from './do-job.ts';
import type { Job, Reply } from './jobs.ts';

serveJobs<Job, Reply>(jobRunner(realDisk));
