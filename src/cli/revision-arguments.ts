/**
 * Arguments that are revisions and paths, told apart as git does: what comes after "--" is a path; before it, what names
 * a snapshot is a revision, and from the first that only names a path on, all are paths.
 */
import type { Command } from 'commander';
import type { Workspace } from '../api/workspace.ts';
import { shellWord } from '../bytes/printable.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { Face } from './face.ts';

export interface RevisionArguments {
  readonly revisions: readonly string[];
  /** Relative to the workspace. */
  readonly paths: readonly string[];
}

/** Throws `usage` for too many revisions, `not-found` or `ambiguous` for what names neither. */
export async function readRevisions(
  face: Face,
  workspace: Workspace,
  command: Command,
  args: readonly string[],
  revisionsMax: number,
): Promise<RevisionArguments> {
  const afterDashes = Math.min(args.length, countAfterDashes(command));
  const first = args.slice(0, args.length - afterDashes);
  const hasDashes = dashesAt(command) >= 0;
  const revisions: string[] = [];
  for (const text of first) {
    if (!(await isRevision(face, workspace, command, text, hasDashes))) break;
    revisions.push(text);
  }
  if (revisions.length > revisionsMax)
    throw new SnapError(
      'usage',
      `${revisionsMax === 1 ? 'one snapshot is' : 'two snapshots are'} enough, not ${revisions.length}`,
      { hint: 'Put "--" before names of files that look like snapshots.' },
    );
  const paths = args.slice(revisions.length);
  return { revisions, paths: paths.map((path) => face.workspacePath(workspace, path)) };
}

/**
 * `<rev>:./path` is meant from where one stands, as in git; everything else is left as it is. Throws `not-found` for what
 * is there only from where one stands.
 */
export async function fromHere(face: Face, workspace: Workspace, text: string): Promise<string> {
  const match = /^(@\{[^}]*\}[~^\d]*|[^:]*):(.+)$/s.exec(text);
  const [, revision = '', path = ''] = match ?? [];
  if (match === null || path.startsWith('/')) return text;
  const here = `${revision}:${face.workspacePath(workspace, path)}`;
  if (/^\.{1,2}(?:\/|$)/.test(path)) return here;
  if (here !== text && !(await isThere(workspace, text)) && (await isThere(workspace, here)))
    throw new SnapError('not-found', `there is no "${path}" at the top of ${revision === '' ? 'HEAD' : revision}`, {
      hint: `For the one in this folder write ${shellWord(`${revision}:./${path}`)}.`,
    });
  return text;
}

async function isThere(workspace: Workspace, text: string): Promise<boolean> {
  const { resolveRevisionPath } = await import('../api/history.ts');
  try {
    await resolveRevisionPath(workspace, text);
    return true;
  } catch (error) {
    if (!(error instanceof SnapError)) throw error;
    return false;
  }
}

/** `a..b`, or undefined; `../x` is a path. */
export function splitRange(text: string): { readonly from: string; readonly to: string } | undefined {
  if (/(?:^|\/)\.\.(?:\/|$)/.test(text)) return undefined;
  const match = /^((?:@\{[^}]*\}|(?!\.\.).)*)\.\.(?!\.)(.*)$/s.exec(text);
  if (match === null) return undefined;
  return { from: match[1] === '' ? 'HEAD' : (match[1] ?? 'HEAD'), to: match[2] === '' ? 'HEAD' : (match[2] ?? 'HEAD') };
}

async function isRevision(
  face: Face,
  workspace: Workspace,
  command: Command,
  text: string,
  mustBe: boolean,
): Promise<boolean> {
  const { resolveRevision } = await import('../repo/revision.ts');
  const range = splitRange(text);
  try {
    for (const revision of range === undefined ? [text] : [range.from, range.to])
      await resolveRevision(workspace.repository, revision);
    return true;
  } catch (error) {
    if (mustBe || !hasCode(error, 'not-found', 'ambiguous')) throw error;
    if (await namesPath(face, workspace, text)) return false;
    if (error.code === 'ambiguous' || range !== undefined || /[~^@]/.test(text)) throw error;
    const gone = command.name() === 'log' ? `If it is a path that is gone: \`snap log -- ${shellWord(text)}\`. ` : '';
    throw new SnapError('not-found', `"${text}" is neither a snapshot nor a path that is there now or in HEAD`, {
      hint: `${gone}${error.hint ?? ''}`,
      cause: error,
    });
  }
}

/** Something is there now, or was in the last snapshot, or it is a glob. */
async function namesPath(face: Face, workspace: Workspace, text: string): Promise<boolean> {
  if (/[*?[\]{}]/.test(text) && !text.startsWith('@{')) return true;
  const { repository, root } = workspace;
  const path = face.workspacePath(workspace, text);
  if (repository.environment.disk.lstat(`${root}/${path}`) !== undefined) return true;
  const { livingHead } = await import('../repo/snapshot-list.ts');
  const head = livingHead(repository);
  return (
    head !== undefined &&
    (await repository.trees.entryAt((await repository.trees.snapshot(head)).tree, path.split('/'))) !== undefined
  );
}

function countAfterDashes(command: Command): number {
  const at = dashesAt(command);
  return at < 0 ? 0 : rawArguments(command).length - at - 1;
}

function dashesAt(command: Command): number {
  return rawArguments(command).indexOf('--');
}

/** Commander takes the "--" out and keeps the arguments as they came only at the top, outside its types. */
function rawArguments(command: Command): readonly unknown[] {
  let top: Command = command;
  while (top.parent !== null) top = top.parent;
  const raw: unknown = 'rawArgs' in top ? top.rawArgs : undefined;
  return Array.isArray(raw) ? raw : process.argv;
}
