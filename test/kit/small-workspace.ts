/** Workspaces with small chunks and packs, in memory where there is such a folder, without threads: hundreds in a minute. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { commit } from '../../src/api/commit.ts';
import type { OpenOptions, Workspace } from '../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../src/api/workspace.ts';
import { processEnvironment } from '../../src/environment.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import type { Environment } from '../../src/repo/environment.ts';
import { decodeStoreConfig, encodeStoreConfig } from '../../src/repo/store-config.ts';
import type { Workers } from '../../src/work/start-workers.ts';
import { inlineWorkers } from './crash/inline-workers.ts';
import type { Picture } from './crash/stage.ts';
import { pictureOf } from './crash/stage.ts';

export interface ReopenOptions extends OpenOptions {
  readonly workers?: Workers;
}

export interface SmallWorkspace {
  readonly root: string;
  readonly store: string;
  readonly workspace: Workspace;
  /** What the folder held at each commit. */
  readonly pictures: ReadonlyMap<BlobId, Picture>;
  write(path: string, content: string | Uint8Array): void;
  commit(message: string, tag?: string): Promise<BlobId>;
  /** Closes it and opens it again, as another process would; in an environment and with workers of the test's own. */
  reopen(environment?: Partial<Environment>, options?: ReopenOptions): Promise<void>;
  /** A copy beside it, opened, with the same pictures. */
  copy(): Promise<SmallWorkspace>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A folder for the tests of one file. */
export function scratchFolder(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'snap-test-'));
}

/** A new one at `root`: chunks of about 4 KiB, packs of 32 KiB. */
export async function makeSmallWorkspace(root: string): Promise<SmallWorkspace> {
  mkdirSync(dirname(root), { recursive: true });
  await initWorkspace(root);
  const path = join(root, '.snap/store/config.json');
  const config = decodeStoreConfig(readFileSync(path));
  const chunker = { ...config.chunker, minBytes: 1024, averageBytes: 4096, maxBytes: 16_384 };
  writeFileSync(path, encodeStoreConfig({ ...config, chunker, packBytes: 32_768 }));
  return open(root, new Map());
}

let copies = 0;

async function open(root: string, known: ReadonlyMap<BlobId, Picture>): Promise<SmallWorkspace> {
  const pictures = new Map(known);
  const reopen = (environment: Partial<Environment> = {}, options: ReopenOptions = {}): Promise<Workspace> => {
    const all = { ...processEnvironment('snap test'), ...environment };
    return openWorkspaceIn(all, options.workers ?? inlineWorkers(all.disk), root, options);
  };
  let workspace = await reopen();
  const close = async (): Promise<void> => {
    await workspace.close();
    rmSync(root, { recursive: true, force: true });
  };
  return {
    root,
    store: join(root, '.snap/store'),
    get workspace() {
      return workspace;
    },
    pictures,
    write: (path, content) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    },
    commit: async (message, tag) => {
      const { id } = await commit(workspace, { message, tag });
      if (id === undefined) throw new Error(`nothing to commit for "${message}"`);
      pictures.set(id, pictureOf(root));
      return id;
    },
    reopen: async (environment, options) => {
      await workspace.close();
      workspace = await reopen(environment, options);
    },
    copy: async () => {
      const to = `${root}-${++copies}`;
      await workspace.close();
      cpSync(root, to, { recursive: true, preserveTimestamps: true });
      workspace = await reopen();
      return open(to, pictures);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
