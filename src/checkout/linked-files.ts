/** The files of a checkout that have several names: the first one is written, the others become links to it. */
import type { FileEntry } from '../object/tree-entry.ts';
import { linkGroup, sameMetadata } from '../object/tree-entry.ts';

/** Others with its key and its bytes, but another mode, owner or time, are not it. */
export interface LinkedFile {
  readonly entry: FileEntry;
  readonly first: string;
  readonly others: string[];
}

export class LinkedFiles {
  readonly #byGroup = new Map<string, LinkedFile[]>();

  /** True if the file at `path` is to be written: it has one name, or this is the first. Else it waits among the others. */
  isFirst(path: string, entry: FileEntry): boolean {
    const group = linkGroup(entry);
    if (group === undefined) return true;
    const files = this.#byGroup.get(group) ?? [];
    const same = files.find((file) => sameMetadata(file.entry, entry));
    if (same === undefined) this.#byGroup.set(group, [...files, { entry, first: path, others: [] }]);
    else same.others.push(path);
    return same === undefined;
  }

  /** Those whose first name was written. */
  all(): LinkedFile[] {
    return [...this.#byGroup.values()].flat();
  }
}
