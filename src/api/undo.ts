/** Undo and the log of operations, from outside. */

import { SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { tagOfRef } from '../object/ref-name.ts';
import { followWithHead } from '../repo/head.ts';
import type { NumberedEntry } from '../repo/journal.ts';
import type { OperationId, PastOperation } from '../repo/operation-history.ts';
import { isOfThisWorkspace, parseOperationId, pastOperations } from '../repo/operation-history.ts';
import { appendOperation, damageOfOperations } from '../repo/operation-log.ts';
import { refsThatMoved } from '../repo/ref-changes.ts';
import type { CheckoutUndo, JournalUndo, UndoPlan } from '../repo/undo-plan.ts';
import { planUndo } from '../repo/undo-plan.ts';
import type { CheckoutResult, CheckoutSettings } from './checkout.ts';
import { checkoutBack } from './checkout.ts';
import type { Workspace } from './workspace.ts';

export interface UndoSettings {
  /** "j12" or "w3"; default: the newest that is not undone and no undo itself. */
  readonly operation?: string | undefined;
  readonly onProgress?: CheckoutSettings['onProgress'];
  readonly onSaving?: CheckoutSettings['onSaving'];
}

export interface UndoResult {
  readonly plan: UndoPlan;
  /** The operation that this undo is itself: undoing it does again what was undone. */
  readonly id: OperationId;
  /** Set if the folder was changed. */
  readonly checkout: CheckoutResult | undefined;
}

/** The published journal went on in a way that the plan must be made again. */
class Overtaken extends Error {}

const ATTEMPTS_MAX = 5;

/** What was done in this workspace (`all`: in any workspace of the store), newest first. */
export async function* operationLog(
  workspace: Workspace,
  settings: { readonly all?: boolean | undefined } = {},
): AsyncGenerator<PastOperation> {
  const { repository } = workspace;
  for await (const operation of pastOperations(repository))
    if (settings.all === true || isOfThisWorkspace(repository, operation)) yield operation;
}

/** What is wrong with the list of what this workspace did to its folder: checkouts that `undo` does not know of. */
export function damagedOperations(workspace: Workspace): readonly string[] {
  return damageOfOperations(workspace.repository);
}

/** What `undo` would do; nothing is changed. Throws as `undo`. */
export async function previewUndo(workspace: Workspace, settings: UndoSettings = {}): Promise<UndoPlan> {
  return planUndo(workspace.repository, target(settings), workspace.signal);
}

/** Takes one operation back. Throws `not-found`, `usage`, `refused` if too much has moved on, `conflict`. */
export async function undo(workspace: Workspace, settings: UndoSettings = {}): Promise<UndoResult> {
  return workspace.exclusively(async ({ exclusively }) => {
    const held = { ...workspace, exclusively };
    for (let attempt = 1; ; attempt++) {
      const plan = await planUndo(workspace.repository, target(settings), workspace.signal);
      try {
        return plan.kind === 'journal' ? await undoEntry(held, plan) : await undoCheckout(held, plan, settings);
      } catch (error) {
        if (!(error instanceof Overtaken)) throw error;
        if (attempt >= ATTEMPTS_MAX)
          throw new SnapError('conflict', 'other commands keep changing the store', { hint: 'Try again in a moment.' });
      }
    }
  });
}

function target(settings: UndoSettings): OperationId | undefined {
  return settings.operation === undefined ? undefined : parseOperationId(settings.operation);
}

async function undoEntry(workspace: Workspace, plan: JournalUndo): Promise<UndoResult> {
  const { repository } = workspace;
  const { draft } = plan;
  const published = await repository.publish(draft, {}, (others) => {
    const [moved] = refsThatMoved(repository.state(), draft.refs);
    if (moved !== undefined)
      throw new SnapError('conflict', `another command was faster: ${moved}`, {
        hint: 'Look at `snap op log`, then run this again if it is still wanted.',
      });
    if (mayChangePlan(others)) throw new Overtaken();
    return draft;
  });
  const { head } = draft;
  if (head !== undefined && head !== null) followWithHead('the undo', () => repository.setHead(head.to));
  return { plan, id: `j${published.entry.number}`, checkout: undefined };
}

/** A sweep may have removed data that comes back; a prune or an undo may have changed where HEAD goes to; a tag keeps. */
function mayChangePlan(others: readonly NumberedEntry[]): boolean {
  return others.some(
    ({ entry }) =>
      entry.swept.length > 0 || entry.refs.some(({ name, to }) => to === null || tagOfRef(name) !== undefined),
  );
}

async function undoCheckout(workspace: Workspace, plan: CheckoutUndo, settings: UndoSettings): Promise<UndoResult> {
  const { repository } = workspace;
  const from = repository.head().snapshot;
  const { revision, paths, head } = plan;
  const { onProgress, onSaving } = settings;
  const result = await checkoutBack(workspace, { revision, paths: paths ?? undefined, onProgress, onSaving }, head);
  const saved: BlobId | null = result.saved ?? null;
  const record = await appendOperation(repository, {
    operation: 'undo',
    from,
    saved,
    to: plan.revision,
    head: plan.head,
    paths: plan.paths,
    undoes: plan.record.n,
  });
  return { plan, id: `w${record.n}`, checkout: result };
}
