/**
 * What is tried on a damaged workspace, and what came of it: `verify --data`, `log`, every file of every snapshot by `cat`
 * and by `checkout --to`, HEAD, and a commit. Only results as data, so that it can run in another process.
 */
import { createHash } from 'node:crypto';
import { checkout } from '../../../src/api/checkout.ts';
import { commit } from '../../../src/api/commit.ts';
import { readFile } from '../../../src/api/diff.ts';
import { log } from '../../../src/api/history.ts';
import { operationLog } from '../../../src/api/undo.ts';
import { verify } from '../../../src/api/verify.ts';
import type { Workspace } from '../../../src/api/workspace.ts';
import { openWorkspace } from '../../../src/api/workspace.ts';
import { SnapError } from '../../../src/errors.ts';
import { startWorkers } from '../../../src/work/start-workers.ts';

export interface ExamQuestion {
  readonly root: string;
  /** Where to check out to; one folder for each snapshot is made in it. */
  readonly target: string;
  readonly snapshots: Readonly<Record<string, readonly string[]>>;
}

/** The code of an error that a person would see, or what must never be: `uncaught: …`. */
export type Failure = { readonly failed: string; readonly message: string };
export type Tried<T> = T | Failure;

export interface Verdict {
  readonly faultCount: number;
  readonly faults: readonly {
    readonly what: string;
    readonly reason: string;
    readonly pack?: string;
    readonly entry?: number;
    readonly blob?: string;
  }[];
  readonly hits: readonly { readonly path: string; readonly snapshots: readonly string[] }[];
}

export interface ExamAnswer {
  readonly open: Tried<'opened'>;
  readonly verify?: Tried<Verdict>;
  readonly log?: Tried<readonly string[]>;
  readonly operations?: Tried<number>;
  readonly head?: Tried<string | null>;
  /** Key: `<snapshot>:<path>`; the SHA-256 of what came. */
  readonly cat: Readonly<Record<string, Tried<string>>>;
  /** Key: the snapshot; paths that are reported as failed. */
  readonly checkout: Readonly<Record<string, Tried<readonly string[]>>>;
  readonly commit?: Tried<string | null>;
}

export async function examine(question: ExamQuestion): Promise<ExamAnswer> {
  const opened = await attempt(() => openWorkspace(question.root, { lockTimeoutMs: 100 }));
  if ('failed' in opened) return { open: opened, cat: {}, checkout: {} };
  // One thread is enough for a few kilobytes, and each exam has its own: a pool keeps blocks that it has decoded.
  await opened.workers.close();
  const workers = startWorkers(1);
  const workspace: Workspace = { ...opened, workers };
  const cat: Record<string, Tried<string>> = {};
  const targets: Record<string, Tried<readonly string[]>> = {};
  try {
    const answer = { open: 'opened', verify: await attempt(() => verdictOf(workspace)) } as const;
    const listed = await attempt(() => idsOf(workspace));
    const operations = await attempt(() => countOf(operationLog(workspace)));
    const head = await attempt(async () => workspace.repository.head().snapshot);
    for (const [id, paths] of Object.entries(question.snapshots)) {
      for (const path of paths) cat[`${id}:${path}`] = await attempt(() => hashOf(workspace, `${id}:${path}`));
      targets[id] = await attempt(async () => {
        const { failures } = await checkout(workspace, { revision: id, to: `${question.target}/${id.slice(0, 8)}` });
        return failures.map(({ path }) => path);
      });
    }
    const committed = await attempt(async () => (await commit(workspace, { message: 'after the damage' })).id ?? null);
    return { ...answer, log: listed, operations, head, cat, checkout: targets, commit: committed };
  } finally {
    await workers.close();
    await opened.close();
  }
}

async function verdictOf(workspace: Workspace): Promise<Verdict> {
  const { faultCount, faults, hits } = await verify(workspace, { data: true });
  return {
    faultCount,
    faults: faults.map(({ what, reason, pack, entry, blob }) => ({
      what,
      reason,
      ...(pack === undefined ? {} : { pack }),
      ...(entry === undefined ? {} : { entry }),
      ...(blob === undefined ? {} : { blob: blob.id }),
    })),
    hits: (hits?.listed ?? []).map(({ path, snapshots }) => ({ path, snapshots })),
  };
}

async function idsOf(workspace: Workspace): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of log(workspace, { all: true })) found.push(id);
  return found;
}

async function countOf(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _item of items) count++;
  return count;
}

async function hashOf(workspace: Workspace, text: string): Promise<string> {
  const { content } = await readFile(workspace, text);
  const hash = createHash('sha256');
  for await (const piece of content) hash.update(piece);
  return hash.digest('hex');
}

async function attempt<T>(work: () => Promise<T>): Promise<Tried<T>> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SnapError && error.code !== 'internal') return { failed: error.code, message: error.message };
    return { failed: 'uncaught', message: error instanceof Error ? `${error.stack}` : String(error) };
  }
}
