/**
 * The plan that takes one operation back: the inverse journal entry, or the checkout of what was there before. Made
 * from the state as it is now, and refused if that has moved on so far that the inverse would be wrong.
 */
import { hasCode, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { shortId } from '../object/blob-id.ts';
import type { JournalEntry, RefChange } from '../object/journal-entry.ts';
import { snapshotOfRef, tagOfRef } from '../object/ref-name.ts';
import type { EntryDraft } from './journal.ts';
import type { OperationId, PastOperation } from './operation-history.ts';
import { isOfThisWorkspace, pastOperations } from './operation-history.ts';
import type { OperationRecord } from './operation-log.ts';
import { inverseChanges, refsThatMoved } from './ref-changes.ts';
import type { Repository } from './repository.ts';
import { incompleteSnapshots } from './snapshot-completeness.ts';
import { livingParent, snapshotIds } from './snapshot-list.ts';
import { listTags } from './tagging.ts';

/** A new journal entry; HEAD then goes to `draft.head.to`, if that is given. */
export interface JournalUndo {
  readonly kind: 'journal';
  readonly target: OperationId;
  readonly entry: JournalEntry;
  readonly draft: EntryDraft & { readonly refs: readonly RefChange[] };
}

/** A checkout of `revision`; HEAD then goes to `head`. */
export interface CheckoutUndo {
  readonly kind: 'checkout';
  readonly target: OperationId;
  readonly record: OperationRecord;
  readonly revision: BlobId;
  readonly head: BlobId | null;
  readonly paths: readonly string[] | null;
}

export type UndoPlan = JournalUndo | CheckoutUndo;

/**
 * Plans the undo of `target`, or of the newest operation of this workspace that is not undone and no undo itself.
 * Throws `not-found`, `refused` with the reason, `corrupt-data`.
 */
export async function planUndo(
  repository: Repository,
  target: OperationId | undefined,
  signal?: AbortSignal,
): Promise<UndoPlan> {
  const operation = target === undefined ? await newestUndoable(repository) : await findOperation(repository, target);
  if (operation.undoneBy !== undefined) {
    throw new SnapError('refused', `${operation.id} is undone already, by ${operation.undoneBy}`, {
      hint: `\`snap undo ${operation.undoneBy}\` does it again.`,
    });
  }
  return operation.source === 'workspace'
    ? planCheckout(repository, operation.id, operation.record)
    : planEntry(repository, operation.id, operation.entry, signal);
}

async function newestUndoable(repository: Repository): Promise<PastOperation> {
  for await (const operation of pastOperations(repository)) {
    if (operation.undoneBy !== undefined || operation.undoes !== undefined || operation.isAutosave) continue;
    if (!isOfThisWorkspace(repository, operation)) continue;
    if (operation.source === 'workspace' || reasonAgainst(operation.entry) === undefined) return operation;
  }
  throw new SnapError('not-found', 'there is nothing to undo', {
    hint: '`snap op log` shows what was done; `snap undo <op>` of an undo does it again.',
  });
}

async function findOperation(repository: Repository, target: OperationId): Promise<PastOperation> {
  for await (const operation of pastOperations(repository)) if (operation.id === target) return operation;
  throw new SnapError('not-found', `there is no operation ${target}`, { hint: '`snap op log` shows what there is.' });
}

function reasonAgainst(entry: JournalEntry): string | undefined {
  if (entry.operation === 'init') return 'it made the store';
  if (entry.operation === 'checkout') return 'it is the checkout of another workspace, to be undone there';
  if (entry.operation === 'condemn') return 'it only marked packs that no snapshot needs; nothing was lost by it';
  if (entry.operation === 'sweep') return 'it removed data that no snapshot needed, and that is gone';
  if (entry.operation === 'repair' && entry.refs.length === 0)
    return 'it replaced what was damaged by what could be read of it; the files are in the folder quarantine of the store';
  if (entry.operation === 'repair' && entry.refs.every(({ from }) => from === null))
    return 'it brought back what the journal had lost';
  return undefined;
}

async function planEntry(
  repository: Repository,
  target: OperationId,
  entry: JournalEntry,
  signal: AbortSignal | undefined,
): Promise<JournalUndo> {
  const reason = reasonAgainst(entry);
  if (reason !== undefined)
    throw new SnapError('refused', `${target} (${entry.operation}) cannot be undone: ${reason}`, {
      hint: '`snap op log` shows what else there is.',
    });
  if (entry.head !== null && entry.workspace !== repository.workspaceId) {
    throw new SnapError('refused', `${target} moved HEAD of another workspace`, {
      hint: `Run \`snap undo ${target}\` there.`,
    });
  }
  const isRepair = entry.operation === 'repair';
  const refs = isRepair
    ? await readableChanges(repository, target, entry.refs)
    : withoutTagged(repository, inverseChanges(entry.refs));
  const moved = refsThatMoved(repository.state(), refs);
  if (moved.length > 0)
    throw new SnapError('refused', `${target} cannot be undone any more: ${inShort(moved)}`, {
      hint: 'Undo first what was done since; `snap op log` shows it.',
      context: { moved },
    });
  if (!isRepair) await requireComplete(repository, target, refs, signal);
  const head = inverseHead(repository, entry);
  if (refs.length === 0 && entry.refs.length > 0 && head === null) throw onlyTagged(repository, target, entry.refs);
  const what = `${target}: ${entry.operation}${entry.note === '' ? '' : ` ${entry.note}`}`;
  return {
    kind: 'journal',
    target,
    entry,
    draft: {
      operation: 'undo',
      note: what,
      workspace: repository.workspaceId,
      head,
      refs,
      grafts: await graftsFor(repository, refs),
      undoes: entry.number,
    },
  };
}

/** A snapshot that goes, and that a tag names which stays, stays. */
function withoutTagged(repository: Repository, changes: readonly RefChange[]): RefChange[] {
  const going = new Set(changes.map(({ name }) => name));
  const tagged = new Set<BlobId>();
  for (const [name, id] of repository.state().refs)
    if (tagOfRef(name) !== undefined && !going.has(name)) tagged.add(id);
  return changes.filter(
    ({ name, from, to }) => snapshotOfRef(name) === undefined || to !== null || !tagged.has(from as BlobId),
  );
}

function onlyTagged(repository: Repository, target: OperationId, made: readonly RefChange[]): SnapError {
  const ids = new Set(made.map(({ to }) => to));
  const tags = listTags(repository).flatMap(({ name, id }) => (ids.has(id) ? [name] : []));
  return new SnapError('refused', `${target} cannot be undone: what it made has the tag ${tags.join(', ')}`, {
    hint: 'Remove the tag first: `snap tag -d <tag>`.',
    context: { tags },
  });
}

/** HEAD goes back only if it is still where the entry put it: later commits stay where they are. */
function inverseHead(repository: Repository, entry: JournalEntry): (EntryDraft['head'] & object) | null {
  const now = repository.head().snapshot;
  if (entry.head === null || now !== entry.head.to) return null;
  const back = entry.head.from;
  const comesBack = entry.refs.some((change) => change.to === null && change.from === back);
  return { from: now, to: back === null || comesBack ? back : (livingParent(repository, back) ?? null) };
}

/** Data of a snapshot that no ref names may be swept; whatever comes back must be whole. */
async function requireComplete(
  repository: Repository,
  target: OperationId,
  refs: readonly RefChange[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const alive = new Set(snapshotIds(repository));
  const back: BlobId[] = [];
  for (const { to } of refs) if (to !== null && !alive.has(to)) back.push(to);
  if (back.length === 0) return;
  const gone = await incompleteSnapshots(repository, back, signal);
  if (gone.length > 0)
    throw new SnapError(
      'refused',
      `${target} cannot be undone any more: gc removed data of ${gone.length} of ${back.length} snapshots (${inShort(gone)})`,
      {
        hint: 'What gc swept is gone (`snap config set gc.grace 7d` keeps it for a week). `snap undo <op>` takes back another one of `snap op log`.',
        context: { gone },
      },
    );
}

/** Snapshots that a repair took out lacked something before: they come back as they were, if their record can be read. */
async function readableChanges(
  repository: Repository,
  target: OperationId,
  changes: readonly RefChange[],
): Promise<RefChange[]> {
  const back: RefChange[] = [];
  for (const change of inverseChanges(changes))
    if (change.to === null || (await isReadable(repository, change.to))) back.push(change);
  if (back.some(({ to }) => to !== null)) return back;
  throw new SnapError('refused', `${target} cannot be undone: no record of a snapshot that it took out can be read`, {
    hint: '`snap op log` shows what else there is.',
  });
}

async function isReadable({ trees }: Repository, snapshot: BlobId): Promise<boolean> {
  try {
    await trees.snapshot(snapshot);
    return true;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    return false;
  }
}

/** Ancestry must be able to step over the snapshots that go, as after a prune. */
async function graftsFor(repository: Repository, refs: readonly RefChange[]): Promise<Record<string, string>> {
  const grafts: Record<string, string> = {};
  for (const { name, from, to } of refs) {
    if (from === null || to !== null || snapshotOfRef(name) === undefined) continue;
    const { parent } = await repository.trees.snapshot(from);
    if (parent !== null) grafts[from] = parent;
  }
  return grafts;
}

function planCheckout(repository: Repository, target: OperationId, record: OperationRecord): CheckoutUndo {
  const now = repository.head().snapshot;
  const revision = record.saved ?? record.from;
  // A checkout that was cut short leaves HEAD where it was before, or at what it saved.
  const isAtSaved = record.saved !== null && now === record.saved;
  if (now !== record.head && now !== record.from && !isAtSaved) {
    throw new SnapError(
      'refused',
      `${target} cannot be undone any more: HEAD is at ${now === null ? 'nothing' : shortId(now)} now, not at ${record.head === null ? 'nothing' : shortId(record.head)}`,
      {
        hint:
          revision === null
            ? 'Undo first what was done since; `snap op log` shows it.'
            : `Undo first what was done since, or run \`snap checkout ${shortId(revision)}\`.`,
      },
    );
  }
  if (revision === null)
    throw new SnapError('refused', `${target} cannot be undone: there was no snapshot before it`, {
      hint: '`snap log` shows the snapshots that there are.',
    });
  if (!snapshotIds(repository).includes(revision))
    throw new SnapError(
      'refused',
      `${target} cannot be undone any more: the snapshot ${shortId(revision)} was pruned`,
      { hint: 'If gc has not swept it, `snap undo` of that prune brings it back first.' },
    );
  const head = record.from === null ? null : (livingParent(repository, record.from) ?? null);
  return { kind: 'checkout', target, record, revision, head, paths: record.paths };
}

function inShort(reasons: readonly string[]): string {
  return `${reasons.slice(0, 3).join('; ')}${reasons.length > 3 ? `; and ${reasons.length - 3} more` : ''}`;
}
