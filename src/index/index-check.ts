/** A program of its own: ends with 0 if the index at argv[2] can be read whole. */
import { isIndexSound } from './index-sound.ts';

process.exit((await isIndexSound(process.argv[2] ?? '')) ? 0 : 1);
