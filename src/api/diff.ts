/**
 * Comparing snapshots, and reading files of them, from outside. Contents are read only when asked for; until `close`
 * a session tells gc that somebody reads.
 */

import { encodeName } from '../bytes/names.ts';
import { shellWord } from '../bytes/printable.ts';
import { SnapError } from '../errors.ts';
import type { Change } from '../history/change.ts';
import { changesBetween } from '../history/changes.ts';
import type { ReadContent } from '../history/content.ts';
import { liveContent, storedContent } from '../history/content.ts';
import { sideOf } from '../history/log.ts';
import type { TextDiff, TextDiffOptions, TextSide } from '../history/text-diff.ts';
import { diffText } from '../history/text-diff.ts';
import type { Side } from '../history/tree-compare.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { SkippedPath } from '../object/snapshot.ts';
import type { FileEntry, SymlinkEntry, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { normalPath, resolveRevision } from '../repo/revision.ts';
import { beginReading } from '../repo/session.ts';
import { livingHead } from '../repo/snapshot-list.ts';
import type { ScanProgress } from '../scan/scan.ts';
import { previewCommit } from './commit.ts';
import type { ChangeSettings } from './history.ts';
import { requireNamed, resolveRevisionPath, withDefaults } from './history.ts';
import type { Workspace } from './workspace.ts';

export const TEXT_BYTES_MAX = 8 * 1024 * 1024;

export interface DiffSettings extends ChangeSettings {
  /** Default: HEAD. */
  readonly from?: string | undefined;
  /** Default: the folder as it is now. */
  readonly to?: string | undefined;
  /** Paths, folders or globs, relative to the workspace. */
  readonly paths?: readonly string[] | undefined;
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
}

export interface Diff {
  /** Undefined: there is no snapshot yet, everything is new. */
  readonly from: BlobId | undefined;
  /** Undefined: the live folder. */
  readonly to: BlobId | undefined;
  readonly changes: AsyncGenerator<Change>;
  /** Of the live folder: what could not be read, and is thus shown as removed. */
  readonly skipped: readonly SkippedPath[];
  /** The lines that differ; undefined for a change that is not about contents. */
  text(change: Change, options?: Partial<TextDiffOptions>): Promise<TextDiff | undefined>;
  close(): void;
}

/** Compares two snapshots, or one with the live folder. Throws `not-found`, `ambiguous`, `usage`, `corrupt-data`. */
export async function diff(workspace: Workspace, settings: DiffSettings = {}): Promise<Diff> {
  const { repository } = workspace;
  const isFirst = settings.from === undefined && livingHead(workspace.repository) === undefined;
  const from = isFirst ? undefined : await resolveRevision(repository, settings.from ?? 'HEAD');
  const to = settings.to === undefined ? undefined : await resolveRevision(repository, settings.to);
  const before = sideOf(repository, from === undefined ? undefined : (await repository.trees.snapshot(from)).tree);
  const live = to !== undefined ? undefined : await previewCommit(workspace, { onProgress: settings.onProgress });
  const after: Side =
    live !== undefined
      ? { trees: live.trees, tree: live.scan.tree }
      : sideOf(repository, to === undefined ? undefined : (await repository.trees.snapshot(to)).tree);
  for (const path of settings.paths ?? [])
    await requireNamed(workspace, normalPath(path), [before, after], settings.from ?? 'HEAD');
  const session = beginReading(repository.environment, repository.backend);
  const oldContent = storedContent(repository, before.trees, workspace.signal);
  const newContent =
    live === undefined
      ? storedContent(repository, after.trees, workspace.signal)
      : liveContent(repository.environment.disk, workspace.root, workspace.signal);
  return {
    from,
    to,
    changes: changesBetween(before, after, withDefaults(settings, settings.paths)),
    skipped: live?.scan.skipped ?? [],
    text: async (change, options = {}) => {
      if (change.kind === 'mode' || change.kind === 'metadata' || change.similarity === 100) return undefined;
      const old =
        change.before === undefined ? undefined : textSide(change.before, change.from ?? change.path, oldContent);
      const now = change.after === undefined ? undefined : textSide(change.after, change.path, newContent);
      if (old === undefined && now === undefined) return undefined;
      return diffText(old, now, {
        contextLines: options.contextLines ?? 3,
        bytesMax: options.bytesMax ?? TEXT_BYTES_MAX,
      });
    },
    close: () => session.end(),
  };
}

export interface OpenedFile {
  readonly id: BlobId;
  readonly path: string;
  readonly entry: FileEntry | SymlinkEntry;
  /** The bytes of a file, or the target of a link; each piece is verified before it is given out. */
  readonly content: AsyncGenerator<Uint8Array>;
}

/** Opens `<rev>:<path>`. Throws `not-found`, `ambiguous`, `refused` for what is no file; while reading `corrupt-data`. */
export async function readFile(workspace: Workspace, text: string): Promise<OpenedFile> {
  const { id, revision, path, entry } = await resolveRevisionPath(workspace, text);
  if (entry === undefined && path === '') {
    throw new SnapError('refused', `${revision} is a snapshot, not a file`, {
      hint: `Name a file in it, as ${revision}:README.md; \`snap ls ${revision}\` shows them.`,
    });
  }
  if (entry?.kind === ENTRY_KIND.folder)
    throw new SnapError('refused', `"${path}" in ${revision} is a folder`, {
      hint: `\`snap ls ${shellWord(`${revision}:${path}`)}\` shows what is in it.`,
    });
  if (entry?.kind !== ENTRY_KIND.file && entry?.kind !== ENTRY_KIND.symlink)
    throw new SnapError('refused', `"${path}" in ${revision} is a FIFO, socket or device and has no content`);
  return { id, path, entry, content: contentOf(workspace, entry, path) };
}

async function* contentOf(
  { repository, signal }: Workspace,
  entry: FileEntry | SymlinkEntry,
  path: string,
): AsyncGenerator<Uint8Array> {
  if (entry.kind === ENTRY_KIND.symlink) {
    yield encodeName(entry.target);
    return;
  }
  const session = beginReading(repository.environment, repository.backend);
  try {
    yield* storedContent(repository, repository.trees, signal)(entry, path);
  } finally {
    session.end();
  }
}

/** Files and links have text, as in git; a link's is its target. */
function textSide(entry: TreeEntry, path: string, content: ReadContent): TextSide {
  if (entry.kind === ENTRY_KIND.file) return { size: entry.size, read: () => content(entry, path) };
  if (entry.kind !== ENTRY_KIND.symlink) return undefined;
  const target = encodeName(entry.target);
  return {
    size: target.length,
    read: async function* read() {
      yield target;
    },
  };
}
