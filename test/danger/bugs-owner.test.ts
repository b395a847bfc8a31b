/** The superuser in a workspace of somebody else leaves nothing there that its owner cannot use. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { gc } from '../../src/api/gc.ts';
import { initWorkspace, openWorkspace } from '../../src/api/workspace.ts';

const BIN = fileURLToPath(new URL('../../bin/snap.js', import.meta.url));
const OWNER = 65_534;

function asOwner(root: string, ...args: string[]): { status: number | null; stderr: string } {
  const env = { PATH: process.env.PATH ?? '', HOME: root };
  return spawnSync(process.execPath, [BIN, '-C', root, ...args], { uid: OWNER, gid: OWNER, env, encoding: 'utf8' });
}

/** What below `folder` does not belong to the owner. */
function foreign(folder: string): string[] {
  return ['', ...readdirSync(folder, { recursive: true }).map(String)].filter((name) => {
    const { uid, gid } = lstatSync(join(folder, name));
    return uid !== OWNER || gid !== OWNER;
  });
}

test.skipIf(process.getuid?.() !== 0)('commit, checkout and gc as the superuser', { timeout: 60_000 }, async () => {
  const outer = mkdtempSync(join(tmpdir(), 'snap-owner-'));
  const root = join(outer, 'work');
  try {
    chmodSync(outer, 0o755);
    await initWorkspace(root, { store: join(outer, 'store') });
    for (const folder of [root, join(outer, 'store')]) chownAll(folder);
    writeFileSync(join(root, 'f'), 'one');
    chownSync(join(root, 'f'), OWNER, OWNER);
    const workspace = await openWorkspace(root);
    const { id } = await commit(workspace, { message: 'by the superuser' });
    writeFileSync(join(root, 'f'), 'two');
    await commit(workspace, { message: 'again', tag: 'v2' });
    await checkout(workspace, { revision: id ?? '' });
    await gc(workspace, {});
    await workspace.close();
    expect([...foreign(join(root, '.snap')), ...foreign(join(outer, 'store'))]).toEqual([]);
    for (const args of [['log'], ['checkout', 'v2'], ['commit', '--allow-empty', '-m', 'mine'], ['gc'], ['verify']])
      expect(asOwner(root, ...args), args.join(' ')).toMatchObject({ status: 0 });
    // What the superuser makes for himself is his.
    await initWorkspace(join(outer, 'own'));
    expect(lstatSync(join(outer, 'own/.snap/config.toml')).uid).toBe(0);
  } finally {
    rmSync(outer, { recursive: true });
  }
});

test.skipIf(process.getuid?.() !== 0)('init as the superuser', async () => {
  const root = mkdtempSync(join(tmpdir(), 'snap-owner-'));
  try {
    chownSync(root, OWNER, OWNER);
    await initWorkspace(root);
    expect(foreign(root)).toEqual([]);
    writeFileSync(join(root, 'f'), 'one');
    expect(asOwner(root, 'commit', '-m', 'first')).toMatchObject({ status: 0 });
  } finally {
    rmSync(root, { recursive: true });
  }
});

test.skipIf(process.getuid?.() !== 0)("a file of somebody else that its owner linked among the index's", async () => {
  const outer = mkdtempSync(join(tmpdir(), 'snap-owner-'));
  try {
    const [root, victim] = [join(outer, 'work'), join(outer, 'victim')];
    await initWorkspace(root);
    chownAll(root);
    writeFileSync(victim, 'secret');
    const workspace = await openWorkspace(root);
    linkSync(victim, join(root, '.snap/index/keep'));
    await workspace.close();
    expect(lstatSync(victim).uid).toBe(0);
    expect(foreign(join(root, '.snap'))).toEqual(['index/keep']);
  } finally {
    rmSync(outer, { recursive: true });
  }
});

test.skipIf(process.getuid?.() !== 0)('files of somebody else where snap or LevelDB will write', async () => {
  const outer = mkdtempSync(join(tmpdir(), 'snap-owner-'));
  try {
    const [root, victim] = [join(outer, 'work'), join(outer, 'victim')];
    await initWorkspace(root);
    await (await openWorkspace(root)).close();
    chownAll(root);
    writeFileSync(victim, 'secret');
    const names = Array.from({ length: 40 }, (_, i) => `MANIFEST-${String(i).padStart(6, '0')}`);
    for (const name of names.filter((name) => !existsSync(join(root, '.snap/index', name))))
      linkSync(victim, join(root, '.snap/index', name));
    await (await openWorkspace(root)).close();
    expect(readFileSync(victim, 'utf8')).toBe('secret');
    expect(lstatSync(victim)).toMatchObject({ uid: 0, nlink: 1 });
    expect(foreign(root)).toEqual([]);
  } finally {
    rmSync(outer, { recursive: true });
  }
});

function chownAll(folder: string): void {
  for (const name of ['', ...readdirSync(folder, { recursive: true }).map(String)])
    chownSync(join(folder, name), OWNER, OWNER);
}
