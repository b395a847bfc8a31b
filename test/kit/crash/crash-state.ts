/** What a power loss left. */
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';

export type CrashEntry =
  | { readonly path: string; readonly kind: 'folder' }
  | { readonly path: string; readonly kind: 'link'; readonly target: string }
  | { readonly path: string; readonly kind: 'file'; readonly bytes: Buffer; readonly number: number };

/** A folder as it may be found after the machine is up again. */
export class CrashState {
  readonly luck: string;
  readonly entries: readonly CrashEntry[];

  constructor(luck: string, entries: readonly CrashEntry[]) {
    this.luck = luck;
    this.entries = entries;
  }

  /** Equal for equal folders. */
  get digest(): string {
    const hash = createHash('sha1');
    for (const entry of this.entries) {
      hash.update(`${entry.kind} ${entry.path}\0${entry.kind === 'link' ? entry.target : ''}\0`);
      if (entry.kind === 'file') hash.update(entry.bytes).update(String(entry.bytes.length));
    }
    return hash.digest('hex');
  }

  /** Makes the folder; several names of one file become files of their own. */
  writeTo(folder: string): void {
    mkdirSync(folder, { recursive: true });
    for (const entry of this.entries) {
      const path = `${folder}/${entry.path}`;
      if (entry.kind === 'folder') mkdirSync(path);
      else if (entry.kind === 'link') symlinkSync(entry.target, path);
      else writeFileSync(path, entry.bytes);
    }
  }
}
