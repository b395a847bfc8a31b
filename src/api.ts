/**
 * The library: what `import … from 'snap'` gives. The command line uses nothing else.
 */

export type { CheckoutResult, CheckoutSettings } from './api/checkout.ts';
export { checkout, planCheckout } from './api/checkout.ts';
export type { CommitSettings } from './api/commit.ts';
export { commit, previewCommit } from './api/commit.ts';
export type { Config, ListedSetting } from './api/config.ts';
export { openConfig } from './api/config.ts';
export type { Diff, DiffSettings, OpenedFile } from './api/diff.ts';
export { diff, readFile } from './api/diff.ts';
export type { GcSettings } from './api/gc.ts';
export { gc, previewGc } from './api/gc.ts';
export type { LogSettings, ShownSnapshot, Status } from './api/history.ts';
export { explainIgnored, find, list, log, show, status } from './api/history.ts';
export { reindex } from './api/reindex.ts';
export type { RepairSettings } from './api/repair.ts';
export { repair, repairConfig } from './api/repair.ts';
export type { StoreStats } from './api/stats.ts';
export { stats } from './api/stats.ts';
export type { ListedTag } from './api/tag.ts';
export { removeTag, tag, tags } from './api/tag.ts';
export type { UndoResult, UndoSettings } from './api/undo.ts';
export { operationLog, previewUndo, undo } from './api/undo.ts';
export type { VerifySettings } from './api/verify.ts';
export { verify } from './api/verify.ts';
export type { InitWorkspaceOptions, OpenOptions, Workspace } from './api/workspace.ts';
export { initWorkspace, openWorkspace, separateWorkspace } from './api/workspace.ts';
export type { CommitResult } from './commit/commit.ts';
export type { ErrorCode } from './errors.ts';
export { SnapError } from './errors.ts';
export type { GcPreview, GcResult } from './gc/gc.ts';
export type { RetentionRules } from './gc/rules.ts';
export type { Snapshot } from './object/snapshot.ts';
export type { ConfigMend } from './repair/mend-config.ts';
export type { RepairResult } from './repair/repair.ts';
export type { ReindexResult } from './verify/reindex.ts';
export type { VerifyResult } from './verify/verify.ts';
