/** `snap find` */
import { Command } from 'commander';
import { formatCount, formatSize } from '../../bytes/quantity.ts';
import { formatWhen } from '../../bytes/time-expression.ts';
import { SnapError } from '../../errors.ts';
import type { FoundPath, FoundVersion } from '../../history/find.ts';
import { shortId } from '../../object/blob-id.ts';
import { entrySize } from '../../object/tree-entry.ts';
import type { DefineCommand } from '../commands.ts';
import { entryDate, entryJson, kindWord, shownPath } from '../describe-entry.ts';
import type { Face } from '../face.ts';
import { jsonText } from '../json.ts';
import { gatherLines } from '../output.ts';

interface Options {
  readonly all?: boolean;
  readonly ignoreCase?: boolean;
}

export const findCommand: DefineCommand = (action) =>
  new Command('find')
    .summary('find a file in all snapshots')
    .description(
      'Finds files and folders by name in all snapshots of this workspace: which versions there were, and in which snapshots. A pattern without "/" is matched against the last name of a path.',
    )
    .argument('<glob>', 'a name, path or glob (quoted), from the top of the workspace')
    .option('--all', 'in the snapshots of all workspaces that share the store')
    .option('-i, --ignore-case', 'upper and lower case are the same')
    .addHelpText(
      'after',
      "\nExamples:\n  snap find notes.txt\n  snap find '*.pt'\n  snap find --all 'models/**/config.json'",
    )
    .action(
      action('find', (face, [glob]: [string], options: Options) =>
        face.withWorkspace(async (workspace) => {
          const { find } = await import('../../api/history.ts');
          const progress = face.progress();
          try {
            const found = await find(workspace, glob, {
              all: options.all,
              ignoreCase: options.ignoreCase,
              onProgress: (snapshots) => progress.update(() => `${formatCount(snapshots)} snapshots`),
            });
            progress.stop();
            // Of a damaged store that is the error: what is not known may fit.
            if (found.length === 0 && workspace.repository.damage === undefined)
              throw new SnapError('not-found', `no snapshot has anything that fits ${JSON.stringify(glob)}`, {
                hint: "Globs help: snap find '*name*'; --all looks in other workspaces of the store.",
              });
            await report(face, found, options.all ?? false);
          } finally {
            progress.stop();
          }
        }),
      ),
    );

async function report(face: Face, found: readonly FoundPath[], withWorkspace: boolean): Promise<void> {
  const lines = gatherLines();
  for (const { path, workspace, versions } of found) {
    if (face.json) {
      await lines.add(
        jsonText({
          schema: 1,
          type: 'found',
          path,
          workspace,
          versions: versions.map(({ content, entry, snapshots }) => ({
            content: content ?? null,
            entry: entryJson(entry),
            snapshots: snapshots.map(({ id, snapshot }) => ({ id, time: snapshot.time })),
          })),
        }),
      );
      continue;
    }
    const [newest] = versions;
    await lines.add(
      ` ${face.style('bold', shownPath(face, path, newest?.entry))}${withWorkspace ? face.style('dim', `  [${face.safe(workspace)}]`) : ''}`,
    );
    for (const version of versions) await lines.add(face.fitted(versionLine(face, version)));
  }
  await lines.flush();
}

/** "   1.30 GB  modified 11 Nov 09:12   4f1c2a9b3e today 14:02 … 9d03b7714c 11 Nov 09:20  (12 snapshots)" */
function versionLine(face: Face, { entry, snapshots }: FoundVersion): string {
  const last = snapshots[0];
  const first = snapshots.at(-1);
  const size = kindWord(entry) === 'file' ? formatSize(entrySize(entry)) : kindWord(entry);
  const inOne = (listed: typeof last): string =>
    listed === undefined
      ? ''
      : `${face.style('id', shortId(listed.id))} ${formatWhen(new Date(listed.snapshot.time), face.now)}`;
  const range =
    snapshots.length > 1
      ? `${inOne(first)} … ${inOne(last)}  (${formatCount(snapshots.length)} snapshots)`
      : inOne(last);
  return `   ${size.padStart(8)}  ${face.style('dim', `modified ${formatWhen(entryDate(entry), face.now).padEnd(15)}`)}  in ${range}`;
}
