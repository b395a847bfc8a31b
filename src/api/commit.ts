/** Committing from outside. */

import type { CommitProgress, CommitResult } from '../commit/commit.ts';
import { commit as commitIn } from '../commit/commit.ts';
import type { CompressionLevel } from '../compress/block-codec.ts';
import { hasCode, SnapError } from '../errors.ts';
import { shortId } from '../object/blob-id.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { Repository } from '../repo/repository.ts';
import { livingHead } from '../repo/snapshot-list.ts';
import { walkTree } from '../repo/tree-diff.ts';
import type { LiveTree } from '../scan/live-tree.ts';
import { scanLive } from '../scan/live-tree.ts';
import type { Selection } from '../scan/selection.ts';
import { selectPaths } from '../scan/selection.ts';
import type { Workspace } from './workspace.ts';

export interface CommitSettings {
  readonly message?: string | undefined;
  /** Paths and globs relative to the workspace; default: everything. */
  readonly patterns?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  readonly meta?: Readonly<Record<string, string>> | undefined;
  readonly tag?: string | undefined;
  readonly allowEmpty?: boolean | undefined;
  readonly rescan?: boolean | undefined;
  readonly compression?: CompressionLevel | undefined;
  readonly onProgress?: ((progress: CommitProgress) => void) | undefined;
}

/** Commits the workspace. `id` of the result is undefined if nothing changed. Throws `usage`, `locked`, `no-space`, … */
export async function commit(workspace: Workspace, settings: CommitSettings = {}): Promise<CommitResult> {
  requireTexts([
    ['message', settings.message ?? ''],
    ['tag', settings.tag ?? ''],
    ...Object.entries(settings.meta ?? {}),
  ]);
  try {
    return await workspace.exclusively(() => commitHere(workspace, settings));
  } catch (error) {
    if (!hasCode(error, 'no-space')) throw error;
    const { code, message, context, cause } = error;
    const hint =
      'Free some space and run the command again; nothing that was committed is lost. `snap gc` frees what this commit ' +
      'left in the store.';
    throw new SnapError(code, message, { hint, context, cause });
  }
}

/** For callers without types: a snapshot holds texts only. */
function requireTexts(named: readonly (readonly [string, unknown])[]): void {
  for (const [name, value] of named)
    if (typeof value !== 'string')
      throw new SnapError('usage', `${name} of a commit must be a text, not ${typeof value}`, {
        hint: 'Write it as a text: String(value).',
      });
}

/** Under the lock. */
async function commitHere(workspace: Workspace, settings: CommitSettings): Promise<CommitResult> {
  const { repository } = workspace;
  return commitIn(repository, workspace.workers, {
    message: settings.message ?? '',
    origin: 'commit',
    selection: await select(repository, settings.patterns ?? []),
    exclude: settings.exclude ?? [],
    meta: settings.meta ?? {},
    tag: settings.tag,
    allowEmpty: settings.allowEmpty ?? false,
    rescan: settings.rescan ?? false,
    compression: settings.compression,
    signal: workspace.signal,
    progress: settings.onProgress ?? (() => undefined),
  });
}

/** What a commit would store, without storing anything. */
export async function previewCommit(
  workspace: Workspace,
  settings: CommitSettings & { readonly onIgnored?: (path: string, isFolder: boolean) => void } = {},
): Promise<LiveTree> {
  const { repository } = workspace;
  return scanLive(repository, workspace.workers, {
    selection: await select(repository, settings.patterns ?? []),
    exclude: settings.exclude ?? [],
    rescan: settings.rescan ?? false,
    signal: workspace.signal,
    progress: (scan) => settings.onProgress?.({ ...scan, newBytes: 0 }),
    ...(settings.onIgnored === undefined ? {} : { ignored: settings.onIgnored }),
  });
}

async function select(repository: Repository, patterns: readonly string[]): Promise<Selection> {
  const { snapshot } = repository.head();
  if (patterns.length > 0 && snapshot !== null && livingHead(repository) === undefined)
    throw new SnapError('refused', `the rest cannot be as in HEAD: ${shortId(snapshot)} was pruned`, {
      hint: 'Commit the whole folder: `snap commit` without paths.',
    });
  return selectPaths(repository.environment.disk, repository.root, patterns, async function* () {
    const head = livingHead(repository);
    if (head === undefined) return;
    const { tree } = await repository.trees.snapshot(head);
    for await (const { path, entry } of walkTree(repository.trees, tree)) {
      yield path;
      if (entry.kind === ENTRY_KIND.folder) yield `${path}/`;
    }
  });
}
