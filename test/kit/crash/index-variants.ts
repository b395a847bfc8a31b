/** What may have become of a workspace's index in a crash: nothing that a command says may depend on it. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';

import { processEnvironment } from '../../../src/environment.ts';
import { WORKSPACE } from '../../../src/repo/layout.ts';

export interface IndexCopies {
  /** The index as it was before the scenario, and the newest there can be; they may be missing. */
  readonly before: string;
  readonly newest: string;
}

export const INDEX_VARIANTS = [
  'gone',
  'newest',
  'before',
  'empty',
  'flipped',
  'no CURRENT',
  'half a MANIFEST',
  'no log',
  'in use',
] as const;
export type IndexVariant = (typeof INDEX_VARIANTS)[number];

/** Puts an index into `folder` (the `.snap` of a workspace). */
export function putIndex(folder: string, variant: IndexVariant, copies: IndexCopies, random: () => number): void {
  const path = `${folder}/index`;
  rmSync(path, { recursive: true, force: true });
  if (!existsSync(folder) || variant === 'gone') return;
  if (variant === 'empty') {
    mkdirSync(path);
    return;
  }
  const from = variant === 'before' ? copies.before : copies.newest;
  if (!existsSync(from)) return;
  cpSync(from, path, { recursive: true });
  const file = (pattern: RegExp): string | undefined => readdirSync(path).find((name) => pattern.test(name));
  if (variant === 'no CURRENT') rmSync(`${path}/CURRENT`, { force: true });
  const manifest = file(/^MANIFEST/);
  if (variant === 'half a MANIFEST' && manifest !== undefined)
    truncateSync(`${path}/${manifest}`, Math.floor(readFileSync(`${path}/${manifest}`).length / 2));
  const log = file(/\.log$/);
  if (variant === 'no log' && log !== undefined) rmSync(`${path}/${log}`);
  if (variant === 'in use') {
    const { holder } = processEnvironment('another command');
    writeFileSync(`${folder}/${WORKSPACE.indexInUse}`, JSON.stringify(holder));
  }
  if (variant !== 'flipped') return;
  for (let i = 0; i < 20; i++) {
    const names = readdirSync(path).filter((name) => name !== 'LOCK');
    const name = `${path}/${names[Math.floor(random() * names.length)]}`;
    const bytes = readFileSync(name);
    if (bytes.length === 0) continue;
    const at = Math.floor(random() * bytes.length);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at);
    writeFileSync(name, bytes);
  }
}
