/** A store with a short history: entry 1 makes it, 2 to 6 are four commits and a tag of the second. */
import type { BlobId } from '../../src/object/blob-id.ts';
import { noise } from './folder.ts';
import type { SmallWorkspace } from './small-workspace.ts';
import { makeSmallWorkspace } from './small-workspace.ts';

export async function makeSmallHistory(root: string): Promise<{ base: SmallWorkspace; ids: BlobId[] }> {
  const base = await makeSmallWorkspace(root);
  const ids: BlobId[] = [];
  for (const n of [1, 2, 3, 4]) {
    base.write(`file ${n}`, noise(3000, n));
    base.write('notes', `the text of ${n}\n`.repeat(50));
    ids.push(await base.commit(`commit ${n}`, n === 2 ? 'v2' : undefined));
  }
  return { base, ids };
}
