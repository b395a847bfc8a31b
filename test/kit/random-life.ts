/** What people do in a workspace, at random. */
import { gc } from '../../src/api/gc.ts';
import { tag } from '../../src/api/tag.ts';
import { undo } from '../../src/api/undo.ts';
import { noise } from './folder.ts';
import type { SmallWorkspace } from './small-workspace.ts';

/** Some commits, tags, gcs, prunes and undoes; each is noted in `told`. */
export async function live(work: SmallWorkspace, random: () => number, told: string[]): Promise<void> {
  const steps = 3 + Math.floor(random() * 8);
  for (let step = 0; step < steps; step++) {
    const what = Math.floor(random() * 6);
    told.push(['commit', 'commit', 'tag', 'gc', 'prune', 'undo'][what] ?? '');
    if (what <= 1) {
      work.write(`random ${Math.floor(random() * 5)}`, noise(1000 + Math.floor(random() * 5000), step * 7 + 1));
      work.write('always', `${step} ${random()}`);
      await work.commit(`step ${step}`);
    } else if (what === 2) {
      if (work.workspace.repository.head().snapshot !== null) await tag(work.workspace, `t${step}`);
    } else if (what === 3) await gc(work.workspace, { now: true });
    else if (what === 4) await gc(work.workspace, { rules: { keepLast: 2 }, now: true });
    else await undo(work.workspace).catch(() => undefined);
  }
}
