/**
 * One change between two trees, in the words of git: what was added, removed, modified, got another mode or another
 * kind, was renamed, or only got other times or another owner (`metadata`).
 */
import { hash } from 'node:crypto';
import type { FileEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND, sameContent, sameTime } from '../object/tree-entry.ts';

/** `unreadable`: it is there, but cannot be read now; a commit would leave it out. */
export type ChangeKind = 'added' | 'removed' | 'unreadable' | 'modified' | 'mode' | 'type' | 'renamed' | 'metadata';

export const CHANGE_KINDS: readonly ChangeKind[] = [
  'added',
  'modified',
  'renamed',
  'removed',
  'unreadable',
  'type',
  'mode',
  'metadata',
];

/** Everything below a folder that one change stands for. */
export interface Contained {
  /** Files, links and specials. */
  readonly files: number;
  readonly bytes: number;
}

export interface Change {
  readonly kind: ChangeKind;
  /** Where it is now; for what was removed, where it was. */
  readonly path: string;
  /** Where it was, of what was renamed. */
  readonly from: string | undefined;
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
  /** Percent, of what was renamed; 100: the same content. */
  readonly similarity: number | undefined;
  /** Set if the change stands for a whole folder. */
  readonly contained: Contained | undefined;
}

/** How two entries at one path differ; undefined if no commit would take note of it. Contents of folders do not count. */
export function changeKind(before: TreeEntry | undefined, after: TreeEntry | undefined): ChangeKind | undefined {
  if (before === undefined) return after === undefined ? undefined : 'added';
  if (after === undefined) return 'removed';
  if (before.kind !== after.kind) return 'type';
  const isFolder = after.kind === ENTRY_KIND.folder;
  if (!isFolder && !sameContent(before, after)) return 'modified';
  if (before.mode !== after.mode) return 'mode';
  if (before.uid !== after.uid || before.gid !== after.gid || (!isFolder && !sameTime(before.mtime, after.mtime)))
    return 'metadata';
  return undefined;
}

/** A change at one path. */
export function changeAt(
  kind: ChangeKind,
  path: string,
  before: TreeEntry | undefined,
  after: TreeEntry | undefined,
  contained?: Contained,
): Change {
  return { kind, path, from: undefined, before, after, similarity: undefined, contained };
}

/** Names the content of an entry: equal ids of one kind hold the same bytes. Undefined for what has no content of its own. */
export function contentId(entry: TreeEntry): string | undefined {
  if (entry.kind === ENTRY_KIND.file) return entry.size === 0 ? undefined : fileContentId(entry);
  return entry.kind === ENTRY_KIND.symlink ? hash('sha256', `link\0${entry.target}`, 'hex') : undefined;
}

function fileContentId({ content }: FileEntry): string {
  if ('list' in content) return content.list;
  const [only] = content.chunks;
  if (only !== undefined && content.chunks.length === 1) return only.id;
  return hash('sha256', content.chunks.map((chunk) => chunk.id).join('\0'), 'hex');
}

/** As `changes`, where what is missing because it could not be read (`skipped`, or a folder above it) is said to be so. */
export async function* tellUnreadable(
  changes: AsyncGenerator<Change>,
  skipped: readonly { readonly path: string }[],
): AsyncGenerator<Change> {
  const paths = new Set(skipped.map(({ path }) => path));
  const isSkipped = (path: string): boolean => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1))
      if (paths.has(path.slice(0, end))) return true;
    return false;
  };
  for await (const change of changes)
    yield change.kind === 'removed' && isSkipped(change.path) ? { ...change, kind: 'unreadable' } : change;
}
