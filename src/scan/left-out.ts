/** What of a folder's entries is left out: by ignore rules, by its name, or as a store or workspace of snap. */
import type { FolderRecord } from '../index/folder-record.ts';
import { entryNameFault, WORKSPACE_FOLDER_NAME } from '../object/entry-name.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import { whySnapsOwn } from '../repo/is-store.ts';
import { WORKSPACE } from '../repo/layout.ts';
import { isMadeBeside } from '../work/staging.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import type { Listing } from './listing.ts';
import { isIgnoredAt, kindAt, markIgnored } from './listing.ts';
import type { ScanContext } from './scan.ts';
import { join } from './scanned-folder.ts';

export class LeftOut {
  readonly #context: ScanContext;
  /** Folders that turned out to be stores or workspaces of snap. */
  readonly snapsOwn = new Set<string>();
  /** What no snapshot can hold: a folder may be looked at twice. */
  readonly #told = new Set<string>();

  constructor(context: ScanContext) {
    this.#context = context;
  }

  /** Why the folder is snap's own, if it is; that is remembered. */
  isSnapsOwn(path: string): string | undefined {
    const own = this.#whySnapsOwn(path);
    if (own !== undefined) this.snapsOwn.add(path);
    return own;
  }

  #whySnapsOwn(path: string): string | undefined {
    const { root, environment, ownFolder } = this.#context;
    return whySnapsOwn(environment.disk, ownFolder, (name) => `${root}/${path}/${name}`);
  }

  /** Marks what ignore rules leave out. `decided`: a record of the same names under the same rules. */
  apply(path: string, rules: IgnoreRules, listing: Listing, decided: FolderRecord | undefined): void {
    for (const [position, name] of listing.names.entries()) {
      const kind = kindAt(listing.stats, position);
      const at = join(path, name);
      const byRules = (): boolean =>
        entryNameFault(name) !== undefined || isMadeBeside(name) || rules.ignores(at, kind === ENTRY_KIND.folder);
      const remembered = decided !== undefined && kindAt(decided.stats, position) === kind;
      let ignored = at === this.#context.ownStore || (remembered ? isIgnoredAt(decided.stats, position) : byRules());
      // A store is remembered as ignored, and may be none by now.
      if (ignored && remembered && kind === ENTRY_KIND.folder && at !== this.#context.ownStore && !byRules()) {
        const own = this.#whySnapsOwn(at);
        ignored = own !== undefined;
        // A folder may be looked at twice.
        if (own !== undefined && !this.snapsOwn.has(at)) this.#context.skipped.push({ path: at, reason: own });
        if (ignored) this.snapsOwn.add(at);
      }
      if (!ignored) continue;
      markIgnored(listing.stats, position);
      if (entryNameFault(name) === undefined) this.#context.ignored?.(at, kind === ENTRY_KIND.folder);
      else this.#tellOfName(at, name, kind, rules);
    }
  }

  /** Of a name that no tree may have. The `.snap` of this workspace is its own, that of one inside counts as ignored. */
  #tellOfName(path: string, name: string, kind: number, rules: IgnoreRules): void {
    const isFolder = kind === ENTRY_KIND.folder;
    if (path === WORKSPACE_FOLDER_NAME) return;
    const settings = isFolder && name === WORKSPACE_FOLDER_NAME ? join(path, WORKSPACE.config) : undefined;
    if (
      settings !== undefined &&
      this.#context.environment.disk.lstat(this.#context.anchor.at(settings)) !== undefined
    ) {
      this.#context.ignored?.(path, true);
      return;
    }
    if (this.#told.has(path) || rules.ignores(path, isFolder)) return;
    this.#told.add(path);
    this.#context.skipped.push({ path, reason: `it has ${entryNameFault(name)}, under which nothing is stored` });
  }
}
