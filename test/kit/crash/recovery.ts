/**
 * What must hold after any crash: everything acknowledged comes back, nothing reads wrong, the next commands work with
 * nothing done by hand, gc reclaims what was left, and verify finds nothing. (I1 to I8 of test/RELIABILITY.md.)
 */
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { commit } from '../../../src/api/commit.ts';
import { gc } from '../../../src/api/gc.ts';
import { status } from '../../../src/api/history.ts';
import { verify } from '../../../src/api/verify.ts';
import type { Workspace } from '../../../src/api/workspace.ts';
import { openWorkspaceIn } from '../../../src/api/workspace.ts';
import { processEnvironment } from '../../../src/environment.ts';
import { snapshotOfRef } from '../../../src/object/ref-name.ts';
import type { Workers } from '../../../src/work/start-workers.ts';
import { checkIndex } from './index-checker.ts';
import type { Picture } from './stage.ts';
import { pictureOf, readPicture, samePicture } from './stage.ts';

export interface Expected {
  /** Ids of snapshots that were acknowledged before the crash and that nothing pruned. */
  readonly acknowledged: readonly string[];
  readonly pictures: ReadonlyMap<string, Picture>;
  /** What a person does again after the crash, between two commands. */
  readonly again?: (() => Promise<void>) | undefined;
}

/** Throws an Error that says what does not hold. Changes the folder. */
export async function checkRecovery(root: string, workers: Workers, expected: Expected): Promise<void> {
  await using(root, workers, async (workspace) => {
    await checkSnapshots(workspace, expected, 'at first');
    const { head } = await status(workspace);
    const { snapshot } = workspace.repository.head();
    demand(snapshot === null || head !== undefined, `HEAD is at ${snapshot}, which is no snapshot`);
  });
  await expected.again?.();
  // Another process: nothing may hang on what the first one mended.
  await using(root, workers, async (workspace) => {
    writeFileSync(`${root}/after the crash`, `written ${Math.random()}`);
    const { id } = await commit(workspace, { message: 'after the crash' });
    demand(id !== undefined, 'a commit after the crash recorded nothing');
    if (id === undefined) return;
    demand(
      samePicture(await readPicture(workspace.repository, id), pictureOf(root)),
      'what was committed after the crash does not come back',
    );
    await gc(workspace, { now: true });
    const checked = await verify(workspace, { data: true });
    demand(checked.faultCount === 0, `verify finds ${JSON.stringify(checked.faults[0])}`);
    await checkSnapshots(workspace, expected, 'after a commit and gc');
    checkLeftovers(workspace);
  });
}

async function checkSnapshots(workspace: Workspace, expected: Expected, when: string): Promise<void> {
  const { repository } = workspace;
  const there = new Set<string>();
  for (const name of repository.state().refs.keys()) {
    const id = snapshotOfRef(name);
    if (id === undefined) continue;
    there.add(id);
    const picture = expected.pictures.get(id);
    const found = await readPicture(repository, id);
    demand(picture === undefined || samePicture(found, picture), `${when}: snapshot ${id} has other contents`);
  }
  for (const id of expected.acknowledged) demand(there.has(id), `${when}: the acknowledged snapshot ${id} is gone`);
}

/** After gc nothing is in the store that the journal does not name. */
function checkLeftovers({ repository }: Workspace): void {
  const store = repository.backend.location;
  const packs = existsSync(`${store}/packs`) ? readdirSync(`${store}/packs`, { recursive: true }).map(String) : [];
  for (const name of packs) {
    const id = /([0-9a-f]{32})\.pack$/.exec(name)?.[1];
    if (id === undefined) demand(statSync(`${store}/packs/${name}`).isDirectory(), `packs/${name} is left over`);
    else
      demand(
        [...repository.state().packs.keys()].some((known) => known === id),
        `pack ${name} is left over`,
      );
  }
  const staged = readdirSync(`${store}/tmp`).filter((name) => name.endsWith('.pack'));
  demand(staged.length === 0, `tmp/${staged[0]} is left over`);
}

async function using(root: string, workers: Workers, work: (workspace: Workspace) => Promise<void>): Promise<void> {
  const environment = { ...processEnvironment('snap test'), checkIndex };
  const workspace = await openWorkspaceIn(environment, workers, root, { lockTimeoutMs: 0 });
  try {
    demand(workspace.repository.damage === undefined, `damaged: ${workspace.repository.damage?.message}`);
    await work(workspace);
  } finally {
    await workspace.close();
  }
}

function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
