/** What people type who come from other tools, and what snap has for it. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['add', 'there is no staging: `snap commit` takes all, or the paths that it is given'],
  ['backup', '`snap commit` makes a snapshot'],
  ['branch', '`snap tag` names a snapshot; each workspace of a store has a history of its own'],
  ['check', '`snap verify` checks the store'],
  ['forget', '`snap gc` prunes snapshots by rules'],
  ['fsck', '`snap verify` checks the store'],
  ['prune', '`snap gc` prunes snapshots by rules'],
  ['reset', '`snap checkout <snapshot>` goes back to one, `snap undo` takes the last operation back'],
  ['restore', '`snap checkout <snapshot> [paths...]` restores all of it, or only these'],
  ['revert', '`snap undo` takes the last operation back, `snap checkout <snapshot>` goes back to one'],
  ['rm', 'remove the file itself, and `snap commit`; `snap gc` prunes snapshots'],
  ['snapshots', '`snap log` lists them'],
  ['stash', '`snap commit`, then `snap checkout HEAD~1`; a checkout saves what was not committed by itself'],
]);

/** What to do instead of a command that snap does not have, if the parser's error is about one that others have. */
export function insteadOf(message: string): string | undefined {
  return WORDS.get(/^error: unknown command '([^']*)'/.exec(message)?.[1] ?? '');
}
