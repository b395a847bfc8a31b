/** What fingerprint.json of a museum store says, and how a folder is described for it. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { Entries } from '../kit/checker/snapshot.ts';

export interface ExhibitEntry {
  /** Name bytes as latin1: JSON holds no others. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link';
  readonly mode?: string;
  readonly seconds?: number;
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
  /** The first path with the same inode, for a file with several names. */
  readonly sameAs?: string;
}

export interface Exhibit {
  readonly program: string;
  readonly snapshots: readonly {
    readonly id: string;
    readonly message: string;
    readonly entries: readonly ExhibitEntry[];
  }[];
  readonly tags: Readonly<Record<string, string>>;
}

const EMPTY = createHash('sha256').digest('hex');

/** All entries below `root` but `.snap` and what ends in ".log", sorted by bytes; empty files of the large folder counted only. */
export function describeFolder(root: string): ExhibitEntry[] {
  const entries: ExhibitEntry[] = [];
  const inodes = new Map<bigint, string>();
  let uniform = 0;
  const walk = (folder: Buffer, prefix: string): void => {
    for (const name of fs.readdirSync(folder, { encoding: 'buffer' }).sort(Buffer.compare)) {
      if ((prefix === '' && name.toString() === '.snap') || name.toString().endsWith('.log')) continue;
      const at = Buffer.concat([folder, Buffer.from('/'), name]);
      const path = `${prefix}${name.toString('latin1')}`;
      const stat = fs.lstatSync(at, { bigint: true });
      const base = { path, mode: (stat.mode & 0o7777n).toString(8), seconds: Number(stat.mtimeNs) / 1e9 };
      if (stat.isDirectory()) {
        entries.push({ path, kind: 'folder', mode: base.mode });
        walk(at, `${path}/`);
      } else if (stat.isSymbolicLink())
        entries.push({ path, kind: 'link', target: fs.readlinkSync(at, 'buffer').toString('latin1') });
      else {
        const sha256 = createHash('sha256').update(fs.readFileSync(at)).digest('hex');
        const first = stat.nlink > 1n ? inodes.get(stat.ino) : undefined;
        if (first === undefined) inodes.set(stat.ino, path);
        if (isUniform(path, sha256)) uniform++;
        else
          entries.push({
            ...base,
            kind: 'file',
            size: Number(stat.size),
            sha256,
            ...(first === undefined ? {} : { sameAs: first }),
          });
      }
    }
  };
  walk(Buffer.from(root), '');
  return [...entries, uniformEntry(uniform)];
}

/** The same of what the independent checker reads. */
export function describeEntries(read: Entries): ExhibitEntry[] {
  const entries: ExhibitEntry[] = [];
  const links = new Map<string, string>();
  let uniform = 0;
  for (const [path, { kind, mode, mtime, size, sha256, target, linkKey }] of read) {
    if (kind === 'folder') entries.push({ path, kind, mode: mode.toString(8) });
    else if (kind === 'link' && target !== undefined) entries.push({ path, kind, target });
    else if (size !== undefined && sha256 !== undefined) {
      const first = linkKey === undefined ? undefined : links.get(linkKey);
      if (linkKey !== undefined && first === undefined) links.set(linkKey, path);
      const base = { path, mode: mode.toString(8), seconds: Number(mtime) / 1e9 };
      if (isUniform(path, sha256)) uniform++;
      else entries.push({ ...base, kind: 'file', size, sha256, ...(first === undefined ? {} : { sameAs: first }) });
    }
  }
  return [...entries, uniformEntry(uniform)];
}

/** The thousands of files that make the large folder large are counted, not listed. */
function isUniform(path: string, sha256: string): boolean {
  return sha256 === EMPTY && /\/\d{4}$/.test(path);
}

function uniformEntry(count: number): ExhibitEntry {
  return { path: '(empty files with four digits)', kind: 'file', size: count };
}
