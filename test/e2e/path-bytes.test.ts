/** Workspaces whose own path is not UTF-8, and callers with an odd umask. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/folder.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

/** Names that Node takes for one: both bytes come out as U+FFFD. */
const ONE = 'caf\\351';
const OTHER = 'caf\\202';

/** Runs `script` in a shell where `snap_in <name> <args>` is snap in that folder, from within it. */
function shell(script: string, env: Record<string, string> = {}): { code: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(
    'bash',
    ['-c', `snap_in() { ( cd "$(printf "$1")" && shift && exec "$NODE" "$SNAP" "$@" ); }; ${script}`],
    {
      cwd: folder.path,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: folder.path, NODE: process.execPath, SNAP: BIN, LC_ALL: 'C', ...env },
    },
  );
  return { code: status, out: stdout + stderr };
}

describe.runIf(process.platform === 'linux')('a path that is not UTF-8', () => {
  const names = (): string[] =>
    fs
      .readdirSync(folder.path, 'buffer')
      .map((name) => name.toString('latin1'))
      .filter((name) => name !== '.cache');
  beforeEach(() => {
    const { code, out } = shell(
      `mkdir "$(printf '${ONE}')"; echo 1 > "$(printf '${ONE}')/data"; snap_in '${ONE}' init && snap_in '${ONE}' commit -m 1`,
    );
    expect({ code, out }).toMatchObject({ code: 0 });
  });

  test('commands work in that folder, and make nothing beside it', () => {
    expect(shell(`snap_in '${ONE}' ls`).out).toBe('.snapignore\ndata\n');
    expect(shell(`echo 2 > "$(printf '${ONE}')/data"; snap_in '${ONE}' commit -m 2 'd*'`).out).toContain('1 changed');
    expect(shell(`snap_in '${ONE}' commit -m 3`).out).toContain('nothing to commit');
    expect(shell(`snap_in '${ONE}' config edit`, { EDITOR: 'sed -i /nothing/d' })).toMatchObject({ code: 0 });
    expect(names()).toEqual(['caf\xe9']);
  });

  test('another such workspace has an index of its own', () => {
    const both = `cp -a "$(printf '${ONE}')" "$(printf '${OTHER}')"; for n in '${ONE}' '${OTHER}'; do echo "$n" > "$(printf "$n")/data"; snap_in "$n" commit -m 2 || exit; snap_in "$n" verify --data || exit; done`;
    const { code, out } = shell(both);
    expect({ code, out }).toMatchObject({ code: 0 });
    expect(names().sort()).toEqual(['caf\x82', 'caf\xe9']);
  });

  test('an index that was left by a killed command is looked through, and used', () => {
    const holder = { id: '0'.repeat(32), pid: 4_194_303, host: 'h', bootId: 'gone', startTime: '1', command: 'snap' };
    fs.writeFileSync(
      Buffer.concat([Buffer.from(`${folder.path}/caf\xe9/.snap/index-in-use`, 'latin1')]),
      JSON.stringify({ ...holder, host: execFileSync('hostname', { encoding: 'utf8' }).trim() }),
    );
    expect(shell(`snap_in '${ONE}' commit -m 2`)).toEqual({
      code: 0,
      out: expect.stringMatching(/^ nothing to commit/),
    });
    expect(names()).toEqual(['caf\xe9']);
  });

  test('an argument of unknown bytes is refused, not taken for another file', () => {
    const long = `ulimit -s unlimited; a=$(printf 'y%.0s' $(seq 120000)); m=(); for i in $(seq 40); do m+=(--meta "k$i=$a"); done`;
    const { code, out } = shell(`${long}; snap_in '${ONE}' commit -m 2 "\${m[@]}" "$(printf 'n\\377')"`);
    expect({ code, out }).toEqual({ code: 2, out: expect.stringContaining('an argument is not UTF-8') });
  });
});

test.each(['0777', '0177'])('whatever a umask of %s takes away, the user can go on', (mask) => {
  fs.mkdirSync(join(folder.path, 'w'));
  fs.writeFileSync(join(folder.path, 'w/a'), '1');
  const { code, out } = shell(
    `(umask ${mask}; snap_in w init && snap_in w commit -m 1) && echo 2 > w/a && snap_in w commit -m 2 && snap_in w gc`,
  );
  expect({ code, out }).toMatchObject({ code: 0 });
  for (const name of ['.snap', '.snap/store', '.snap/store/packs'])
    expect(fs.statSync(join(folder.path, 'w', name)).mode & 0o700, name).toBe(0o700);
});
