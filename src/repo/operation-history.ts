/**
 * What was done here, newest first: entries of the journal and the workspace's own records in one order, each with
 * whether it is undone. Walks the journal backwards and holds only what undos name, so its length does not matter.
 */
import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { JournalEntry } from '../object/journal-entry.ts';
import { readEntryIfWhole } from './journal.ts';
import { newestBase } from './journal-base.ts';
import type { OperationRecord } from './operation-log.ts';
import { readOperations } from './operation-log.ts';
import type { Repository } from './repository.ts';

/** "j12" is journal entry 12, "w3" the workspace's record 3. */
export type OperationId = `j${number}` | `w${number}`;

export type PastOperation = {
  readonly id: OperationId;
  /** The undo that took it back and was not undone itself. */
  readonly undoneBy: OperationId | undefined;
  readonly undoes: OperationId | undefined;
  /** The commit that a checkout made to save what was not committed: undone with the checkout, not by itself. */
  readonly isAutosave: boolean;
} & (
  | { readonly source: 'journal'; readonly entry: JournalEntry }
  | { readonly source: 'workspace'; readonly record: OperationRecord }
);

/** Reads an id that a person typed. Throws `usage`. */
export function parseOperationId(text: string): OperationId {
  const match = /^([jw])([1-9]\d{0,11})$/.exec(text);
  if (match === null)
    throw new SnapError('usage', `${JSON.stringify(text)} is not the id of an operation`, {
      hint: 'Ids look like j12 or w3; `snap op log` shows them.',
    });
  return match[1] === 'j' ? `j${Number(match[2])}` : `w${Number(match[2])}`;
}

/** Operations of every workspace of the store and the records of this one, newest first. Throws `corrupt-data`. */
export async function* pastOperations(repository: Repository): AsyncGenerator<PastOperation> {
  const records = await readOperations(repository);
  const saved = new Set<BlobId>();
  for (const record of records) if (record.saved !== null) saved.add(record.saved);
  const undoneBy = new Map<OperationId, OperationId>();
  const finish = (
    id: OperationId,
    undoes: OperationId | undefined,
  ): { id: OperationId; undoneBy: OperationId | undefined; undoes: OperationId | undefined } => {
    const by = undoneBy.get(id);
    if (undoes !== undefined && by === undefined && !undoneBy.has(undoes)) undoneBy.set(undoes, id);
    undoneBy.delete(id);
    return { id, undoneBy: by, undoes };
  };
  for (let number = repository.state().number; number >= 0; number--) {
    for (
      let record = records.at(-1);
      record !== undefined && (record.journal >= number || number === 0);
      record = records.at(-1)
    ) {
      records.pop();
      yield {
        ...finish(`w${record.n}`, record.undoes === null ? undefined : `w${record.undoes}`),
        source: 'workspace',
        record,
        isAutosave: false,
      };
    }
    if (number === 0) return;
    const entry = await entryAt(repository, number);
    if (entry === undefined) continue;
    // The workspace's own record says more of a checkout than where HEAD went.
    if (entry.operation === 'checkout' && entry.workspace === repository.workspaceId) continue;
    const isAutosave =
      entry.operation === 'commit' &&
      entry.workspace === repository.workspaceId &&
      // An autosave leaves HEAD where it is; those of earlier versions moved it.
      (entry.head === null || (entry.head.to !== null && saved.has(entry.head.to as BlobId)));
    yield {
      ...finish(`j${number}`, entry.undoes === null ? undefined : `j${entry.undoes}`),
      source: 'journal',
      entry,
      isAutosave,
    };
  }
}

/** True if this workspace did it, or nobody in particular (such as the making of the store). */
export function isOfThisWorkspace(repository: Repository, operation: PastOperation): boolean {
  return (
    operation.source === 'workspace' ||
    operation.entry.workspace === null ||
    operation.entry.workspace === repository.workspaceId
  );
}

/** Undefined for one that a repair has replaced by a base: what it did is not known any more. */
async function entryAt({ backend }: Repository, number: number): Promise<JournalEntry | undefined> {
  const found = await readEntryIfWhole(backend, number);
  if (found !== undefined) return found.entry;
  if ((await newestBase(backend, number)) !== undefined) return undefined;
  throw new SnapError('corrupt-data', `journal entry ${number} is missing from the store, or damaged`, {
    hint: 'Run `snap verify` to see what is affected; do not run gc before this is understood.',
    context: { entry: number },
  });
}
