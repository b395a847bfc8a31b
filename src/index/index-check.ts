/**
 * A program of its own: ends with 0 if the index at argv[2] can be read whole. It ends at once when whoever started it
 * does, even killed: LevelDB writes while it opens an index, and the next command may be taking that one away.
 */
import { isIndexSound } from './index-sound.ts';

process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL')).resume();
process.exit((await isIndexSound(process.argv[2] ?? '')) ? 0 : 1);
