/** The commands that a power loss is tried in, each with what is there before. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { checkout } from '../../../src/api/checkout.ts';
import { gc } from '../../../src/api/gc.ts';
import { reindex, reindexIn } from '../../../src/api/reindex.ts';
import { removeTag, tag } from '../../../src/api/tag.ts';
import { undo } from '../../../src/api/undo.ts';
import type { Workspace } from '../../../src/api/workspace.ts';
import { initWorkspace, openWorkspaceIn } from '../../../src/api/workspace.ts';
import { processEnvironment } from '../../../src/environment.ts';
import { SnapError } from '../../../src/errors.ts';
import { initWorkspace as initIn } from '../../../src/repo/init.ts';
import type { Workers } from '../../../src/work/start-workers.ts';
import { noise } from '../folder.ts';
import type { Scenario } from './play.ts';
import type { Picture, Stage } from './stage.ts';
import { deadEnvironment, pictureOf, samePicture } from './stage.ts';

async function init(stage: Stage, name = 'work', store?: string): Promise<void> {
  await initWorkspace(`${stage.root}/${name}`, store === undefined ? {} : { store });
}

async function threeFiles(stage: Stage): Promise<void> {
  await init(stage);
  stage.write('work/a', 'first');
  stage.write('work/d/b', noise(3000, 1));
  stage.write('work/d/e/c', 'third');
}

async function twoSnapshots(stage: Stage): Promise<void> {
  await threeFiles(stage);
  await stage.commit('work', 'first');
  stage.write('work/a', 'other');
  rmSync(`${stage.root}/work/d/e/c`);
  await stage.commit('work', 'second');
  stage.write('work/new', 'not committed');
}

const firstOf = (stage: Stage): readonly [string, Picture] => {
  for (const snapshot of stage.pictures) return snapshot;
  throw new Error('nothing was committed');
};

async function checkOutFirst(stage: Stage): Promise<void> {
  await stage.in('work', async (workspace) => void (await checkout(workspace, { revision: firstOf(stage)[0] })));
}

async function checkOutCopy(stage: Stage): Promise<void> {
  const to = `${stage.root}/copy`;
  await stage.in('work', async (workspace) => void (await checkout(workspace, { revision: firstOf(stage)[0], to })));
}

async function checkedOutAgain(root: string, workers: Workers, stage: Stage): Promise<void> {
  const [revision, picture] = firstOf(stage);
  await inWorkspace(root, workers, async (workspace) => {
    await checkout(workspace, { revision });
    const found = pictureOf(`${root}/work`);
    if (!samePicture(found, picture)) throw new Error(`a second checkout leaves ${JSON.stringify([...found])}`);
  });
}

async function copiedAgain(root: string, workers: Workers, stage: Stage): Promise<void> {
  const [revision, picture] = firstOf(stage);
  await inWorkspace(root, workers, async (workspace) => {
    const to = `${root}/copy`;
    const whole = await checkout(workspace, { revision, to }).then(
      ({ failures }) => failures.length === 0,
      (error: unknown) => {
        // Its mark is gone, so it was done.
        if (error instanceof SnapError && error.code === 'refused') return false;
        throw error;
      },
    );
    // What the power took of files that are in their places comes back by force.
    if (!whole) await checkout(workspace, { revision, to, force: true });
    const found = pictureOf(`${root}/copy`);
    if (!samePicture(found, picture)) throw new Error(`a second checkout leaves ${JSON.stringify([...found])}`);
  });
}

async function inWorkspace(
  root: string,
  workers: Workers,
  work: (workspace: Workspace) => Promise<void>,
): Promise<void> {
  const workspace = await openWorkspaceIn(processEnvironment('snap test'), workers, `${root}/work`);
  try {
    await work(workspace);
  } finally {
    await workspace.close();
  }
}

/** Init and all ways to commit. */
export const COMMITS: readonly Scenario[] = [
  {
    name: 'init',
    prepare: async (stage) => {
      mkdirSync(`${stage.root}/work`);
      writeFileSync(`${stage.root}/work/a`, 'first');
    },
    act: async (stage) => {
      await initIn(deadEnvironment(stage.disk), {
        root: `${stage.root}/work`,
        store: undefined,
        name: undefined,
        nested: true,
      });
    },
  },
  {
    name: 'first commit of three files',
    prepare: threeFiles,
    act: async (stage) => void (await stage.commit('work', 'first')),
  },
  {
    name: 'commit over a commit, one file changed, one gone',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
      stage.write('work/a', 'other');
      rmSync(`${stage.root}/work/d/e/c`);
    },
    act: async (stage) => void (await stage.commit('work', 'second', { tag: 'v1' })),
  },
  {
    name: 'commit of three packs',
    prepare: async (stage) => {
      await init(stage);
      stage.shrinkPacks('work');
      for (let i = 0; i < 6; i++) stage.write(`work/big${i}`, noise(20_000, i));
    },
    act: async (stage) => void (await stage.commit('work', 'packs')),
  },
  {
    name: 'two workspaces at once',
    prepare: async (stage) => {
      await init(stage);
      await init(stage, 'other', `${stage.root}/work/.snap/store`);
      stage.write('work/a', 'of work');
      stage.write('other/a', 'of other');
    },
    act: async (stage) => void (await Promise.all([stage.commit('work', 'one'), stage.commit('other', 'two')])),
  },
  {
    name: 'commit into folders that a killed process made and did not sync',
    prepare: threeFiles,
    act: async (stage) => {
      stage.disk.makeFolder(`${stage.root}/work/.snap/store/packs`);
      for (let i = 0; i < 256; i++)
        stage.disk.makeFolder(`${stage.root}/work/.snap/store/packs/${i.toString(16).padStart(2, '0')}`);
      await stage.commit('work', 'first');
    },
    from: 257,
  },
  {
    name: 'a checkpoint',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
      await stage.in('work', async (workspace) => {
        for (let i = 3; i < 256; i += 2) {
          await tag(workspace, `t${i}`);
          await removeTag(workspace, `t${i}`);
        }
      });
      stage.write('work/a', 'other');
    },
    act: async (stage) => {
      await stage.commit('work', 'second');
      stage.write('work/a', 'again');
      await stage.commit('work', 'third');
    },
  },
];

/** What changes a store or a folder that holds something. */
export const CHANGES: readonly Scenario[] = [
  {
    name: 'tag and untag',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
    },
    act: async (stage) => {
      await stage.in('work', (workspace) => tag(workspace, 'v1'));
      await stage.in('work', (workspace) => removeTag(workspace, 'v1'));
    },
  },
  {
    name: 'prune, condemn, sweep',
    prepare: async (stage) => {
      await threeFiles(stage);
      stage.mayGo.add(await stage.commit('work', 'first'));
      stage.write('work/d/b', noise(3000, 2));
      await stage.commit('work', 'second');
    },
    act: (stage) =>
      stage.in('work', async (workspace) => void (await gc(workspace, { rules: { keepLast: 1 }, now: true }))),
  },
  {
    name: 'gc that writes packs anew',
    prepare: async (stage) => {
      await init(stage);
      stage.shrinkPacks('work');
      for (let i = 0; i < 4; i++) stage.write(`work/f${i}`, noise(9000, i));
      stage.mayGo.add(await stage.commit('work', 'first'));
      for (let i = 0; i < 4; i += 2) stage.write(`work/f${i}`, noise(9000, 10 + i));
      await stage.commit('work', 'second');
    },
    act: (stage) =>
      stage.in('work', async (workspace) => void (await gc(workspace, { rules: { keepLast: 1 }, now: true }))),
  },
  {
    name: 'undo of a commit',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
      stage.write('work/a', 'other');
      stage.mayGo.add(await stage.commit('work', 'second'));
    },
    act: (stage) => stage.in('work', async (workspace) => void (await undo(workspace))),
  },
  {
    name: 'reindex',
    prepare: async (stage) => {
      await threeFiles(stage);
      await stage.commit('work', 'first');
    },
    act: async (stage) => void (await reindexIn(deadEnvironment(stage.disk), `${stage.root}/work`)),
    again: async (root) => {
      try {
        const { damaged } = await reindex(`${root}/work`);
        if (damaged !== 0) throw new Error('the second reindex finds damage');
      } catch (error) {
        // Another command has the index.
        if (!(error instanceof SnapError && error.code === 'locked')) throw error;
      }
    },
  },
  {
    name: 'checkout in place with uncommitted changes',
    prepare: twoSnapshots,
    act: checkOutFirst,
    again: checkedOutAgain,
  },
  {
    name: 'a checkout that was killed is gone on with',
    prepare: async (stage) => {
      await twoSnapshots(stage);
      await stage.dying(2, checkOutFirst);
    },
    act: checkOutFirst,
    again: checkedOutAgain,
  },
  {
    name: 'checkout to another folder',
    prepare: twoSnapshots,
    act: checkOutCopy,
    again: copiedAgain,
  },
  {
    name: 'a checkout to another folder that was killed is gone on with',
    prepare: async (stage) => {
      await twoSnapshots(stage);
      await stage.dying(2, checkOutCopy);
    },
    act: checkOutCopy,
    again: copiedAgain,
  },
];
