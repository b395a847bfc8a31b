/** The ignore rules of a snapshot: what its own `.snapignore` files leave out. Read as far as they are asked for. */

import { hasCode } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { IGNORE_FILE } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import { textsSetting } from '../repo/settings.ts';
import type { IgnoreRules } from '../scan/ignore-rules.ts';
import { checkIgnoreFileSize, outerRules } from '../scan/ignore-rules.ts';

/** Tells whether the snapshot with this tree ignores a path; folders above it are not asked. */
export function rulesAfter(
  repository: Repository,
  tree: BlobId,
): (path: string, isFolder: boolean) => Promise<boolean> {
  const patterns = textsSetting(repository.settings, 'commit.exclude') ?? [];
  const outer = outerRules(() => undefined, [{ source: 'config.toml commit.exclude', patterns }]);
  const known = new Map<string, Promise<IgnoreRules>>();
  const rulesIn = (folder: string): Promise<IgnoreRules> => {
    let rules = known.get(folder);
    if (rules === undefined) {
      rules = enter(folder);
      known.set(folder, rules);
    }
    return rules;
  };
  const enter = async (folder: string): Promise<IgnoreRules> => {
    const above = folder === '' ? outer : await rulesIn(folderOf(folder));
    return above.enterWith(folder, await ignoreFile(repository, tree, folder));
  };
  return async (path, isFolder) => {
    try {
      return (await rulesIn(folderOf(path))).ignores(path, isFolder);
    } catch (error) {
      // Rules that cannot be used leave nothing out.
      if (!hasCode(error, 'usage')) throw error;
      return false;
    }
  };
}

async function ignoreFile(repository: Repository, tree: BlobId, folder: string): Promise<Buffer | undefined> {
  const path = folder === '' ? IGNORE_FILE : `${folder}/${IGNORE_FILE}`;
  const entry = await repository.trees.entryAt(tree, path.split('/'));
  if (entry?.kind !== ENTRY_KIND.file) return undefined;
  checkIgnoreFileSize(path, entry.size);
  const pieces: Uint8Array[] = [];
  for await (const chunk of repository.trees.chunks(entry))
    pieces.push(await repository.blobs.read(BLOB_KIND.data, chunk.id));
  return Buffer.concat(pieces);
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}
