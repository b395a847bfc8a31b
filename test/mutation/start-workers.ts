/** Takes the place of src/work/start-workers.ts: no threads, in which a mutant would be neither on nor counted. */
import { realDisk } from '../../src/disk/disk.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { inlineWorkers } from '../kit/crash/inline-workers.ts';

export const startWorkers = (): Workers => inlineWorkers(realDisk);
