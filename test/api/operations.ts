/** Where HEAD is, what was done, and what gc does: as undo sees it. */
import { operationLog } from '../../src/api/undo.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import type { TestWorkspace } from '../kit/workspace.ts';

export interface Operations {
  head(): BlobId | null;
  /** As `op log` lists them. */
  operations(): Promise<string[]>;
  /** What gc does when it prunes. */
  prune(...ids: BlobId[]): Promise<void>;
}

/** In the workspace that `made` gives by then. */
export function operationsOf(made: () => TestWorkspace): Operations {
  const head = (): BlobId | null => made().workspace.repository.head().snapshot;
  const operations = async (): Promise<string[]> => {
    const lines: string[] = [];
    for await (const operation of operationLog(made().workspace)) {
      const what = operation.source === 'journal' ? operation.entry.operation : operation.record.operation;
      lines.push(
        `${operation.id} ${what}${operation.undoneBy === undefined ? '' : ` undone by ${operation.undoneBy}`}`,
      );
    }
    return lines;
  };
  const prune = async (...ids: BlobId[]): Promise<void> => {
    const { repository } = made().workspace;
    const draft = {
      operation: 'prune',
      note: `${ids.length} snapshots`,
      workspace: repository.workspaceId,
      refs: ids.map((id) => ({ name: snapshotRef(id), from: id, to: null })),
    } as const;
    await repository.publish(draft, {}, () => draft);
  };
  return { head, operations, prune };
}
