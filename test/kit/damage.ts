/** Damage to stores on purpose: which packs there are, bits flipped, files lost; and what verify makes of it. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VerifySettings } from '../../src/api/verify.ts';
import { verify } from '../../src/api/verify.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { VerifyResult } from '../../src/verify/verify.ts';

/** Paths of the packs of a store, largest first. */
export function packPaths(store: string): string[] {
  const folder = join(store, 'packs');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.pack'))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).size - statSync(a).size);
}

/** Bytes of all packs of a store. */
export function packBytes(store: string): number {
  return packPaths(store).reduce((sum, path) => sum + statSync(path).size, 0);
}

/** Flips one bit of a file; doing it again takes it back. */
export function flipBit(path: string, offset: number, bit = 0): void {
  const bytes = readFileSync(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
  writeFileSync(path, bytes);
}

/** Alters a journal entry, and gives it the hash that it then should have: whole by itself, and not the one that was there. */
export function alterEntry(path: string, change: (text: string) => string): void {
  const fields = change(readFileSync(path, 'utf8').replace(/^\{"check":"[0-9a-f]{64}",/, '{'));
  const check = createHash('sha256').update(fields).digest('hex');
  writeFileSync(path, `{"check":"${check}",${fields.slice(1)}`);
}

/** Verifies every byte. */
export function verifyAll(workspace: Workspace, settings: VerifySettings = {}): Promise<VerifyResult> {
  return verify(workspace, { data: true, ...settings });
}
