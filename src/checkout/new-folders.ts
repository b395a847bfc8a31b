/**
 * The folders that a checkout has just made: nothing can be in them but what it put there itself, so that it need not
 * look before each of many files. Names that a file system may take for one (case, Unicode forms) are looked at.
 */

/** What file systems that fold names pass over. */
const IGNORED = /\p{Default_Ignorable_Code_Point}/gu;

export class NewFolders {
  readonly #open = new Map<string, Set<string>>();

  /** `empty`: the root itself holds nothing. */
  constructor(empty: boolean) {
    if (empty) this.enter('');
  }

  /** The folder at `path` was just made. */
  enter(path: string): void {
    this.#open.set(path, new Set());
  }

  /** Nothing more will be put into it. */
  leave(path: string): void {
    this.#open.delete(path);
  }

  /** True if nothing can be at `path`, which is about to be taken. */
  isVacant(path: string): boolean {
    const slash = path.lastIndexOf('/');
    const names = this.#open.get(slash < 0 ? '' : path.slice(0, slash));
    if (names === undefined) return false;
    const before = names.size;
    names.add(folded(path.slice(slash + 1)));
    return names.size > before;
  }
}

/** The same for names that any file system may take for one. Both cases, as "ẞ" and "ß" are "ss", and "ς" is "σ". */
function folded(name: string): string {
  return name.replace(IGNORED, '').normalize('NFKC').toLowerCase().toUpperCase();
}
