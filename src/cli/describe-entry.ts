/** Entries and changes in words, letters and JSON, the same in every command that shows them. */
import { formatCount, formatSize } from '../bytes/quantity.ts';
import type { Change, ChangeKind } from '../history/change.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { Face, Style } from './face.ts';

const KIND_WORDS = {
  1: 'file',
  2: 'folder',
  3: 'symlink',
  4: 'fifo',
  5: 'char-device',
  6: 'block-device',
  7: 'socket',
} as const;
const KIND_LETTERS = { 1: '-', 2: 'd', 3: 'l', 4: 'p', 5: 'c', 6: 'b', 7: 's' } as const;

/** The words of `git status`; its letters in `--short` and `--name-status`. "m": only times or the owner. */
const CHANGE_WORDS: Readonly<Record<ChangeKind, readonly [word: string, letter: string, style: Style]>> = {
  added: ['new file', 'A', 'good'],
  modified: ['modified', 'M', 'warn'],
  renamed: ['renamed', 'R', 'ref'],
  removed: ['deleted', 'D', 'bad'],
  unreadable: ['unreadable', '?', 'bad'],
  type: ['typechange', 'T', 'warn'],
  mode: ['mode', 'M', 'warn'],
  metadata: ['touched', 'm', 'dim'],
};

export function kindWord(entry: TreeEntry): string {
  return KIND_WORDS[entry.kind];
}

/** As `ls -l` shows it: "-rwsr-xr-t". */
export function modeText(entry: TreeEntry): string {
  const { mode } = entry;
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = (mode >> shift) & 7;
    const execute = (bits & 1) !== 0;
    const last = (mode & special) !== 0 ? (execute ? letter : letter.toUpperCase()) : execute ? 'x' : '-';
    return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${last}`;
  };
  return `${KIND_LETTERS[entry.kind]}${triple(6, 0o4000, 's')}${triple(3, 0o2000, 's')}${triple(0, 0o1000, 't')}`;
}

export function octalMode(entry: TreeEntry): string {
  return entry.mode.toString(8).padStart(4, '0');
}

/** Nanoseconds since 1970 as a date; times out of its range are cut. */
export function entryDate(entry: TreeEntry): Date {
  const milliseconds = Number(entry.mtime / 1_000_000n);
  return new Date(Math.max(-8.64e15, Math.min(8.64e15, milliseconds)));
}

export function entryJson(entry: TreeEntry | undefined): Record<string, unknown> | null {
  if (entry === undefined) return null;
  const { mtime, uid, gid } = entry;
  const common = {
    kind: kindWord(entry),
    mode: octalMode(entry),
    uid,
    gid,
    mtime: entryDate(entry).toISOString(),
    mtimeNs: String(mtime),
  };
  switch (entry.kind) {
    case ENTRY_KIND.file:
      return {
        ...common,
        size: entry.size,
        content: entry.content,
        linkKey: entry.linkKey ?? null,
        sparse: entry.sparse,
        unsteady: entry.unsteady,
      };
    case ENTRY_KIND.folder:
      return { ...common, tree: entry.tree };
    case ENTRY_KIND.symlink:
      return { ...common, target: entry.target };
    default:
      return { ...common, major: entry.major, minor: entry.minor };
  }
}

export function changeJson(change: Change): Record<string, unknown> {
  const { kind, path, from, similarity, contained, before, after } = change;
  return {
    schema: 1,
    type: 'change',
    kind,
    path,
    from: from ?? null,
    similarity: similarity ?? null,
    contained: contained ?? null,
    before: entryJson(before),
    after: entryJson(after),
  };
}

export function changeWord(change: Change): string {
  return CHANGE_WORDS[change.kind][0];
}

export function changeLetter({ kind, similarity }: Change, withSimilarity = false): string {
  return `${CHANGE_WORDS[kind][1]}${withSimilarity && similarity !== undefined ? String(similarity).padStart(3, '0') : ''}`;
}

export function changeStyle(change: Change): Style {
  return CHANGE_WORDS[change.kind][2];
}

/** The path, both paths of a rename; folders end in "/". Safe for a terminal. */
export function changePaths(face: Face, change: Change, between = ' -> '): string {
  const path = shownPath(face, change.path, change.after ?? change.before);
  return change.from === undefined ? path : `${shownPath(face, change.from, change.before)}${between}${path}`;
}

/** What a line about a change says beside its paths: how much, how similar, which modes. */
export function changeNote({ kind, similarity, contained, before, after }: Change): string {
  const notes: string[] = [];
  if (contained !== undefined) notes.push(contained.files === 0 ? 'empty' : holdsText(contained));
  if (similarity !== undefined && similarity < 100) notes.push(`${similarity} % the same`);
  if (kind === 'type' && before !== undefined && after !== undefined)
    notes.push(`${kindWord(before)} to ${kindWord(after)}`);
  if (before !== undefined && after !== undefined && before.mode !== after.mode && kind !== 'type')
    notes.push(`mode ${octalMode(before)} to ${octalMode(after)}`);
  return notes.join(', ');
}

/** "78,579 files, 1.30 GB" */
export function holdsText({ files, bytes }: { readonly files: number; readonly bytes: number }): string {
  return `${formatCount(files)} ${files === 1 ? 'file' : 'files'}, ${formatSize(bytes)}`;
}

export function shownPath(face: Face, path: string, entry: TreeEntry | undefined): string {
  return `${face.safe(path)}${entry?.kind === ENTRY_KIND.folder ? '/' : ''}`;
}
