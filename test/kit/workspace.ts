/**
 * Real workspaces for tests, in a temporary folder: files are written, the workspace is opened once and closed by
 * `cleanup` (or `await using`).
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { commit } from '../../src/api/commit.ts';
import type { OpenOptions, Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';

export interface TestWorkspace {
  readonly root: string;
  readonly workspace: Workspace;
  /** Writes a file, with the folders above it. */
  write(path: string, content: string | Uint8Array): void;
  read(path: string): string;
  exists(path: string): boolean;
  remove(path: string): void;
  /** Commits everything; throws if nothing changed. */
  commit(message: string, settings?: { readonly tag?: string }): Promise<BlobId>;
  /** Closes the workspace and opens it again, as another command would. */
  reopen(options?: OpenOptions): Promise<Workspace>;
  cleanup(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `store`: absolute path of a store to share, for a second workspace. */
export async function makeWorkspace(
  options: { readonly files?: Readonly<Record<string, string>>; readonly store?: string } = {},
): Promise<TestWorkspace> {
  const root = join(mkdtempSync(join(tmpdir(), 'snap-test-')), 'work');
  await initWorkspace(root, options.store === undefined ? {} : { store: options.store });
  let workspace = await openWorkspace(root);
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  for (const [path, content] of Object.entries(options.files ?? {})) write(path, content);
  const cleanup = async (): Promise<void> => {
    await workspace.close();
    rmSync(dirname(root), { recursive: true, force: true });
  };
  return {
    root,
    get workspace() {
      return workspace;
    },
    write,
    read: (path) => readFileSync(join(root, path), 'utf8'),
    exists: (path) => existsSync(join(root, path)),
    remove: (path) => rmSync(join(root, path), { recursive: true }),
    commit: async (message, settings = {}) => {
      const { id } = await commit(workspace, { message, ...settings });
      if (id === undefined) throw new Error(`nothing to commit for "${message}"`);
      return id;
    },
    reopen: async (openOptions = {}) => {
      await workspace.close();
      workspace = await openWorkspace(root, openOptions);
      return workspace;
    },
    cleanup,
    [Symbol.asyncDispose]: cleanup,
  };
}
