/**
 * Revisions: how people name snapshots. `HEAD`, `latest`, `HEAD~2`, a tag, an id or a prefix of at least 4 digits, a
 * time `@{2026-11-20 14:00}` (the newest snapshot not younger; as with `latest`, none that a checkout saved); `<rev>:<path>` names something inside one.
 */

import { shellWord } from '../bytes/printable.ts';
import { parseTime } from '../bytes/time-expression.ts';
import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { shortId } from '../object/blob-id.ts';
import type { RefName } from '../object/ref-name.ts';
import type { TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { Repository } from './repository.ts';
import type { ListedSnapshot } from './snapshot-list.ts';
import { listSnapshots, livingHead, livingParent, snapshotIds } from './snapshot-list.ts';

const PREFIX_DIGITS_MIN = 4;

/** The snapshot that `text` names. Throws `not-found`, `ambiguous` or `usage`, with candidates in the hint. */
export async function resolveRevision(repository: Repository, text: string): Promise<BlobId> {
  if (text === '')
    throw new SnapError('usage', 'an empty text names no snapshot', { hint: 'HEAD is the last one of this folder.' });
  const nameEnd = stepsStart(text);
  let id = await resolveName(repository, text.slice(0, nameEnd) || 'HEAD', text);
  for (const step of text.slice(nameEnd).match(/~\d*|\^/g) ?? []) {
    const count = step === '^' || step === '~' ? 1 : Number(step.slice(1));
    for (let i = 0; i < count; i++) id = await parentOf(repository, id, text);
  }
  return id;
}

/** Splits `<rev>:<path>`; a revision alone is its whole tree. A time's colon is not a separator. */
export function splitRevisionPath(text: string): { revision: string; path: string | undefined } {
  const from = text.startsWith('@{') ? text.indexOf('}') : 0;
  const colon = text.indexOf(':', Math.max(0, from));
  if (colon < 0) return { revision: text, path: undefined };
  return { revision: text.slice(0, colon) || 'HEAD', path: normalPath(text.slice(colon + 1)) };
}

/** The entry at `path` in a snapshot; undefined for the snapshot's whole tree (''). Throws `not-found` and suggests. */
export async function resolvePath(
  repository: Repository,
  tree: BlobId,
  path: string,
  revision: string,
): Promise<TreeEntry | undefined> {
  if (path === '') return undefined;
  const names = path.split('/');
  const entry = await repository.trees.entryAt(tree, names);
  if (entry !== undefined) return entry;
  const near = await nearNames(repository, tree, names);
  throw new SnapError('not-found', `there is no "${path}" in ${revision}`, {
    hint:
      near.length > 0
        ? `Perhaps ${near.map(shellWord).join(', ')}.`
        : `\`snap ls ${shellWord(revision)}\` shows what is there.`,
  });
}

/** A path as people type it: no "./", no doubled or final slashes. */
export function normalPath(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/** Where the `~2` and `^` at the end of a revision begin. From the end, since a pattern would take quadratic time. */
function stepsStart(text: string): number {
  for (let start = text.length; ; start--) {
    const end = start;
    while (isDigit(text[start - 1])) start--;
    if (text[start - 1] !== '~' && (start < end || text[start - 1] !== '^')) return end;
  }
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9';
}

async function resolveName(repository: Repository, name: string, text: string): Promise<BlobId> {
  const { refs } = repository.state();
  if (name === 'HEAD' || name === '@') return headOf(repository);
  if (name === 'latest') return latestOf(repository);
  const time = /^@\{(.*)\}$/s.exec(name)?.[1];
  if (time !== undefined) return atTime(repository, time);
  const tag = refs.get(`tags/${name}` as RefName);
  if (tag !== undefined) return tag;
  const ids = snapshotIds(repository);
  if (/^[0-9a-fA-F]{1,64}$/.test(name)) {
    const prefix = name.toLowerCase();
    const found = ids.filter((id) => id.startsWith(prefix)).sort();
    const shown = found.slice(0, 4).map(shortId).join(', ');
    if (prefix.length < PREFIX_DIGITS_MIN)
      throw new SnapError(
        'ambiguous',
        `"${name}" is too short for an id (at least ${PREFIX_DIGITS_MIN} digits)${found.length > 0 ? `; it could be ${shown}` : ''}`,
        { hint: 'Run `snap log` to see the ids.', context: { candidates: found } },
      );
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    if (found.length > 1)
      throw new SnapError(
        'ambiguous',
        `"${name}" fits ${found.length} snapshots: ${shown}${found.length > 4 ? ', …' : ''}`,
        { hint: 'Give more digits.', context: { candidates: found } },
      );
  }
  const tags = [...refs.keys()].filter((ref) => ref.startsWith('tags/')).map((ref) => ref.slice(5));
  const near = tags
    .filter((candidate) => distance(candidate, name) <= Math.max(1, Math.floor(name.length / 3)))
    .slice(0, 3);
  throw new SnapError('not-found', `there is no snapshot "${text}"`, {
    hint:
      near.length > 0
        ? `Perhaps ${near.map(shellWord).join(', ')}; \`snap log\` shows all.`
        : 'Run `snap log` to see ids and tags.',
  });
}

function headOf(repository: Repository): BlobId {
  const head = repository.head().snapshot;
  const living = livingHead(repository);
  if (living !== undefined) return living;
  if (head === null)
    throw new SnapError('not-found', 'there is no snapshot of this folder yet', { hint: whereFirst(repository) });
  if (repository.damage !== undefined)
    throw new SnapError('corrupt-data', `HEAD, ${shortId(head)}, is not among the snapshots known of a damaged store`, {
      hint: 'Name another snapshot (`snap log` shows them), or run `snap repair`.',
      cause: repository.damage,
    });
  throw new SnapError('not-found', `HEAD, ${shortId(head)}, was pruned`, {
    hint: 'Name another snapshot (`snap log` shows them), or run `snap commit` to make a new one.',
  });
}

/** For a folder without snapshots: others may share its store. */
function whereFirst(repository: Repository): string {
  const first = 'Run `snap commit` to make the first one';
  return snapshotIds(repository).length === 0
    ? `${first}.`
    : `${first}; \`snap log --all\` shows those of other folders.`;
}

/** Those that somebody asked for, newest first: what a checkout saved is not meant. */
async function madeOnPurpose(repository: Repository): Promise<ListedSnapshot[]> {
  const listed = await listSnapshots(repository, false);
  return listed.filter(({ snapshot }) => snapshot.origin !== 'autosave');
}

async function latestOf(repository: Repository): Promise<BlobId> {
  return (await madeOnPurpose(repository))[0]?.id ?? headOf(repository);
}

async function atTime(repository: Repository, text: string): Promise<BlobId> {
  const time = parseTime(text, { now: repository.environment.now(), upTo: true });
  const listed = await madeOnPurpose(repository);
  const found = listed.find(({ snapshot }) => Date.parse(snapshot.time) <= time.getTime());
  if (found !== undefined) return found.id;
  const oldest = listed.at(-1);
  throw new SnapError('not-found', `there is no snapshot from ${text} or before`, {
    hint:
      oldest === undefined ? whereFirst(repository) : `The oldest is ${shortId(oldest.id)} of ${oldest.snapshot.time}.`,
  });
}

async function parentOf(repository: Repository, id: BlobId, text: string): Promise<BlobId> {
  const snapshot = await repository.trees.snapshot(id);
  const parent = livingParent(repository, snapshot.parent);
  if (parent === undefined)
    throw new SnapError('not-found', `"${text}" goes back beyond the first snapshot`, {
      hint: 'Run `snap log` to see what there is.',
    });
  return parent;
}

async function nearNames(repository: Repository, tree: BlobId, names: readonly string[]): Promise<string[]> {
  let at = tree;
  const walked: string[] = [];
  for (const name of names) {
    const entries = await repository.trees.folder(at);
    const next = entries.find((entry) => entry.name === name);
    if (next?.kind === ENTRY_KIND.folder) {
      walked.push(name);
      at = next.tree;
      continue;
    }
    const limit = Math.max(1, Math.floor(name.length / 3));
    return entries
      .filter((entry) => distance(entry.name.toLowerCase(), name.toLowerCase()) <= limit)
      .slice(0, 3)
      .map((entry) => [...walked, entry.name].join('/'));
  }
  return [];
}

/** Levenshtein distance; long names are cut, since only near ones matter. */
function distance(a: string, b: string): number {
  const x = a.slice(0, 64);
  const y = b.slice(0, 64);
  let row = Array.from({ length: y.length + 1 }, (_, i) => i);
  for (let i = 1; i <= x.length; i++) {
    const next = [i];
    for (let j = 1; j <= y.length; j++) {
      next.push(
        Math.min(
          (next[j - 1] as number) + 1,
          (row[j] as number) + 1,
          (row[j - 1] as number) + (x[i - 1] === y[j - 1] ? 0 : 1),
        ),
      );
    }
    row = next;
  }
  return row[y.length] as number;
}
