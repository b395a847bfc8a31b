/**
 * Much output at little cost: lines are gathered and written together; bytes are written as they are; both wait while
 * the reader of the pipe is slow.
 */
import { once } from 'node:events';

const GATHERED_CHARACTERS = 32 * 1024;

/** Writes to stdout and waits until there is room for more. */
export async function writeOut(data: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(data)) await once(process.stdout, 'drain');
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
