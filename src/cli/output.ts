/**
 * Much output at little cost: lines are gathered and written together; bytes are written as they are; both wait while
 * the reader of the pipe is slow. A reader that goes away early (`snap log | head`) is no error, and changes no outcome:
 * what only lists stops, everything else goes on in silence.
 */
import { once } from 'node:events';
import { errnoOf } from '../errors.ts';
import { EXIT } from './exit-code.ts';

const GATHERED_CHARACTERS = 32 * 1024;

/** Nobody reads the listing any more. */
class ReaderGone extends Error {}

let isReaderGone = false;

/** Output that cannot be written ends the process, unless it is for want of a reader. */
export function watchOutput(): void {
  process.stderr.on('error', (error) => {
    if (errnoOf(error) !== 'EPIPE') process.exit(EXIT.failed);
  });
  process.stdout.on('error', (error) => {
    if (errnoOf(error) === 'EPIPE') {
      isReaderGone = true;
      return;
    }
    process.stderr.write(
      `error: writing the output failed (${errnoOf(error) ?? error.message})\nWhat was done before is done: \`snap log\` and \`snap op log\` show it.\n`,
    );
    process.exit(EXIT.failed);
  });
}

/** For commands of which nothing is wanted but a listing: throws `ReaderGone` once nobody reads it. */
export function demandReader(): void {
  if (isReaderGone) throw new ReaderGone();
}

/** Waits for a listing; one that nobody reads to its end is done, too. */
export async function untilUnread(listing: Promise<unknown>): Promise<void> {
  try {
    await listing;
  } catch (error) {
    if (!(error instanceof ReaderGone)) throw error;
  }
}

/** Writes a piece of a listing to stdout and waits until there is room for more. Throws `ReaderGone`. */
export async function writeOut(data: string | Uint8Array): Promise<void> {
  demandReader();
  if (process.stdout.write(data)) return;
  try {
    await once(process.stdout, 'drain');
  } catch (error) {
    // Of other errors the process ends.
    throw errnoOf(error) === 'EPIPE' ? new ReaderGone() : error;
  }
}

export interface Lines {
  add(line: string): Promise<void>;
  /** What was gathered, at once; needed at the end, and before anything is written to stderr. */
  flush(): Promise<void>;
}

export function gatherLines(): Lines {
  let gathered = '';
  const flush = async (): Promise<void> => {
    const text = gathered;
    gathered = '';
    if (text !== '') await writeOut(text);
  };
  return {
    flush,
    add: async (line) => {
      gathered += `${line}\n`;
      if (gathered.length >= GATHERED_CHARACTERS) await flush();
    },
  };
}
