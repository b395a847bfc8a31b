/** Answers, for each path it is sent, whether the index there can be read. May be ended by one that cannot. */
import { examineIndex } from '../../../src/index/index-sound.ts';

process.on('message', async (path: string) => {
  process.send?.({ path, verdict: await examineIndex(path) });
});
