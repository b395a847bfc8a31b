/**
 * A program of its own: looks through the index at argv[2], and ends with a code of EXIT_CODES. It ends at once when
 * whoever started it does, even killed: LevelDB writes while it opens an index, and the next command may be taking that
 * one away.
 */
import { EXIT_CODES } from './check-apart.ts';
import { examineIndex } from './index-sound.ts';

process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL')).resume();
process.exit(EXIT_CODES[await examineIndex(process.argv[2] ?? '', () => process.stdout.write('.'))]);
