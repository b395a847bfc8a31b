/** Requests of the built command, in a folder of a test. */
import fs from 'node:fs';
import { expect } from 'vitest';
import { madeOnce } from '../kit/made-once.ts';
import { json, ok, snap } from '../kit/snap.ts';

export interface Requests {
  /** Makes a workspace, adds a file, commits it with what is there, and gives the snapshot's id. */
  commitOne(): string;
  /** One sentence of what, one of what to do, on stderr, and nothing on stdout. */
  expectError(args: readonly string[], code: number, what: RegExp): void;
}

/** In the folder that `path` gives by then. */
export function requestsIn(path: () => string): Requests {
  const commitIn = (root: string): string => {
    fs.writeFileSync(`${root}/a`, 'one');
    ok(['-C', root, 'init']);
    return json<{ id: string }>(['-C', root, 'commit', '-m', 'one']).id;
  };
  let alone = '';
  const copyTo = madeOnce((root) => {
    alone = commitIn(root);
  });
  return {
    commitOne: () => {
      if (fs.readdirSync(path()).length > 0) return commitIn(path());
      copyTo(path());
      return alone;
    },
    expectError: (args, code, what) => {
      const ran = snap(['-C', path(), ...args]);
      expect({ args, code: ran.code }).toEqual({ args, code });
      expect(ran.stderr).toMatch(what);
      expect(ran.stderr.trim().split('\n').length).toBeGreaterThanOrEqual(2);
      expect(ran.stdout).toBe('');
    },
  };
}
