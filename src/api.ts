/**
 * The library: what `import … from 'snap'` gives. The command line uses nothing else.
 */
export { SnapError } from './errors.ts';
export type { ErrorCode } from './errors.ts';
export { initWorkspace, openWorkspace } from './api/workspace.ts';
export type { InitWorkspaceOptions, OpenOptions, Workspace } from './api/workspace.ts';
export { commit, previewCommit } from './api/commit.ts';
export type { CommitSettings } from './api/commit.ts';
export { checkout, planCheckout } from './api/checkout.ts';
export type { CheckoutResult, CheckoutSettings } from './api/checkout.ts';
