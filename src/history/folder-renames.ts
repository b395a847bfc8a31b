/**
 * Joins renames of files to renames of folders: if all that was in a folder is now, with the same content, at the same
 * places below another folder that was not there before, the folder moved.
 */
import type { OneSidedFolder, Rename } from './found-renames.ts';
import { baseName, FoundRenames, foldersAbove } from './found-renames.ts';

/** `old` and `now`: the folders that only one side has, by path. */
export function foldFolderRenames(
  renames: readonly Rename[],
  old: ReadonlyMap<string, OneSidedFolder>,
  now: ReadonlyMap<string, OneSidedFolder>,
): FoundRenames {
  const pairs = countPairs(renames, old, now);
  const moved = pairs
    .filter((pair) => pair.moved === pair.from.leaves && pair.moved === pair.to.leaves)
    .sort((a, b) => a.from.path.length - b.from.path.length);
  const folded = new FoundRenames();
  for (const { from, to } of moved) {
    if (folded.hasOld(from.path) || folded.hasNew(to.path)) continue;
    folded.add({ from: from.path, to: to.path, before: from.entry, similarity: 100, leaves: from.leaves });
  }
  for (const rename of renames) if (!folded.hasOld(rename.from)) folded.add(rename);
  return folded;
}

interface FolderPair {
  readonly from: OneSidedFolder;
  readonly to: OneSidedFolder;
  moved: number;
}

/** For each pair of folders: how many leaves moved from one to the same place in the other. */
function countPairs(
  renames: readonly Rename[],
  old: ReadonlyMap<string, OneSidedFolder>,
  now: ReadonlyMap<string, OneSidedFolder>,
): FolderPair[] {
  const pairs = new Map<string, FolderPair>();
  for (const rename of renames) {
    if (rename.similarity < 100) continue;
    const into = foldersAbove(rename.to);
    let below = [rename.from, rename.to] as const;
    for (const [depth, fromPath] of foldersAbove(rename.from).entries()) {
      const toPath = into[depth];
      if (toPath === undefined || baseName(below[0]) !== baseName(below[1])) break;
      const from = old.get(fromPath);
      const to = now.get(toPath);
      if (from === undefined || to === undefined) break;
      const key = `${fromPath}\0${toPath}`;
      const pair = pairs.get(key);
      if (pair === undefined) pairs.set(key, { from, to, moved: rename.leaves });
      else pair.moved += rename.leaves;
      below = [fromPath, toPath];
    }
  }
  return [...pairs.values()];
}
