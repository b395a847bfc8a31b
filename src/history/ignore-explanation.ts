/**
 * Why a path is in snapshots or not: the rule that decided, of which file, as the scan would find it. A rule that leaves
 * out a folder decides for all that is in it, because ignored folders are not entered.
 */
import { errnoOf } from '../errors.ts';
import { entryNameFault } from '../object/entry-name.ts';
import { whySnapsOwn } from '../repo/is-store.ts';
import { IGNORE_FILE, storeInside } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import { textsSetting } from '../repo/settings.ts';
import type { IgnoreRules } from '../scan/ignore-rules.ts';
import { rootRules } from '../scan/ignore-rules.ts';
import { isMadeBeside } from '../work/staging.ts';

export interface IgnoreExplanation {
  readonly path: string;
  readonly ignored: boolean;
  /** "sub/.snapignore:3: *.log"; undefined if none matched. */
  readonly rule: string | undefined;
  /** The ignored folder above it that decided, if it was not the path itself. */
  readonly folder: string | undefined;
}

/** Explains one path after the other (folders end in "/"); neighbours share the rules that were read. */
export function ignoreExplainer(
  repository: Repository,
  exclude: readonly string[] = [],
): (path: string) => IgnoreExplanation {
  const { disk } = repository.environment;
  const root = rootRules(disk, repository.root, [
    { source: 'config.toml commit.exclude', patterns: textsSetting(repository.settings, 'commit.exclude') ?? [] },
    { source: '--exclude', patterns: exclude },
  ]);
  const ownStore = storeInside(repository.root, repository.backend.location);
  let known = new Map<string, IgnoreRules>([['', root]]);

  /** Not in what cannot be there: a folder of too long a name, or below a file. */
  const hasRules = (folder: string): boolean => {
    try {
      return disk.lstat(`${repository.root}/${folder}/${IGNORE_FILE}`)?.isFile() === true;
    } catch (error) {
      if (errnoOf(error) !== 'ENAMETOOLONG' && errnoOf(error) !== 'ENOTDIR') throw error;
      return false;
    }
  };

  /** Rules for the entries of a folder; only those on the way to the last one are kept. */
  const rulesIn = (names: readonly string[]): IgnoreRules => {
    const kept = new Map<string, IgnoreRules>([['', root]]);
    let rules = root;
    for (const depth of names.keys()) {
      const folder = names.slice(0, depth + 1).join('/');
      rules = known.get(folder) ?? rules.enter(folder, hasRules(folder));
      kept.set(folder, rules);
    }
    known = kept;
    return rules;
  };

  const ownAt = (at: string): string | undefined =>
    whySnapsOwn(disk, repository.folder, (name) => `${repository.root}/${at}/${name}`);

  const temporary = (name: string): string | undefined =>
    isMadeBeside(name) ? 'a temporary file of a checkout' : undefined;

  return (asked) => {
    const isFolder = asked.endsWith('/');
    const path = isFolder ? asked.slice(0, -1) : asked;
    const names = path.split('/');
    for (const [depth, name] of names.entries()) {
      const at = names.slice(0, depth + 1).join('/');
      const above = at === path ? undefined : at;
      const fault =
        at === ownStore ? 'the store of this workspace' : (entryNameFault(name) ?? temporary(name) ?? ownAt(at));
      if (fault !== undefined) return { path: asked, ignored: true, rule: `snap itself: ${fault}`, folder: above };
      const decision = rulesIn(names.slice(0, depth)).explain(at, above !== undefined || isFolder);
      if (decision.ignored || above === undefined) return { path: asked, ...decision, folder: above };
    }
    return { path: asked, ignored: false, rule: undefined, folder: undefined };
  };
}
