/** `snap log` */

import { Command, InvalidArgumentError } from 'commander';
import type { Workspace } from '../../api/workspace.ts';
import { formatSize } from '../../bytes/quantity.ts';
import { formatWhen } from '../../bytes/time-expression.ts';
import type { LoggedSnapshot } from '../../history/log.ts';
import { shortId } from '../../object/blob-id.ts';
import { ChangeTotals, sizeText } from '../change-lines.ts';
import type { DefineCommand } from '../commands.ts';
import { changeJson, changeLetter, changePaths, changeStyle } from '../describe-entry.ts';
import type { Face } from '../face.ts';
import { demandReader, untilUnread } from '../output.ts';
import { readRevisions } from '../revision-arguments.ts';
import type { LogLayout } from '../snapshot-lines.ts';
import { layOut, snapshotJson, snapshotLines } from '../snapshot-lines.ts';
import { cutStart, padEnd } from '../text-width.ts';

interface Options {
  readonly number?: number;
  readonly oneline?: boolean;
  readonly stat?: boolean;
  readonly all?: boolean;
  readonly since?: string;
  readonly until?: string;
}

/** So many snapshots decide how wide the columns are. */
const LAID_OUT = 100;
const STAT_LINES_MAX = 20;

export const logCommand: DefineCommand = (action) => {
  const command = new Command('log');
  return command
    .summary('list snapshots')
    .description(
      'Lists the snapshots of this workspace, newest first: all of them, or one and its ancestors; for paths, only those in which one of them changed.',
    )
    .argument('[args...]', 'a snapshot, then paths or globs; "--" before paths that look like snapshots')
    .option('-n, --number <count>', 'only the newest', parseCount)
    .option('--oneline', 'id and message only')
    .option('--stat', 'with what changed in each')
    .option('--all', 'of all workspaces that share the store')
    .option('--since <time>', 'only those made at or after, e.g. "2 days ago"')
    .option('--until <time>', 'only those made at or before; a day or minute is in as a whole')
    .addHelpText(
      'after',
      '\nExamples:\n  snap log -n 10\n  snap log --since "last week" --stat\n  snap log v1.2.0 -- src/config.json',
    )
    .action(
      action('log', (face, [args]: [string[]], options: Options) =>
        face.withWorkspace(async (workspace) => {
          const { log } = await import('../../api/history.ts');
          const { revisions, paths } = await readRevisions(face, workspace, command, args, 1);
          const snapshots = log(workspace, {
            revision: revisions[0],
            paths,
            all: options.all,
            since: options.since,
            until: options.until,
            count: options.number,
          });
          const waiting: LoggedSnapshot[] = [];
          let layout: LogLayout | undefined;
          try {
            for await (const logged of snapshots) {
              if (layout !== undefined) await show(face, workspace, logged, layout, options, paths);
              else if (waiting.push(logged) >= LAID_OUT)
                layout = await showAll(face, workspace, waiting, options, paths);
            }
          } catch (error) {
            // Of a damaged store what can be read comes before the error, which stands whoever reads.
            if (layout === undefined) await untilUnread(showAll(face, workspace, waiting, options, paths));
            throw error;
          }
          if (layout === undefined) await showAll(face, workspace, waiting, options, paths);
          if (waiting.length === 0) face.note(await whyNone(face, workspace, options, paths));
        }),
      ),
    );
};

async function whyNone(face: Face, workspace: Workspace, options: Options, paths: readonly string[]): Promise<string> {
  if (paths.length > 0 || options.since !== undefined || options.until !== undefined || options.number === 0)
    return ' no snapshot fits';
  if (workspace.repository.damage !== undefined) return ' no snapshot that can be read is known';
  const { show: showSnapshot } = await import('../../api/history.ts');
  const { livingHead } = await import('../../repo/snapshot-list.ts');
  const head = livingHead(workspace.repository);
  if (head === undefined) return ' no snapshots yet (snap commit -m "first" makes one)';
  const { snapshot } = await showSnapshot(workspace, head);
  return ` this workspace has made no snapshot yet; HEAD is at ${shortId(head)} of workspace ${face.safe(snapshot.workspace.name)} (snap log HEAD and snap log --all show it)`;
}

async function showAll(
  face: Face,
  workspace: Workspace,
  waiting: readonly LoggedSnapshot[],
  options: Options,
  paths: readonly string[],
): Promise<LogLayout> {
  const layout = layOut(face, waiting, { withWorkspace: options.all ?? false });
  for (const logged of waiting) await show(face, workspace, logged, layout, options, paths);
  return layout;
}

async function show(
  face: Face,
  workspace: Workspace,
  logged: LoggedSnapshot,
  layout: LogLayout,
  options: Options,
  paths: readonly string[],
): Promise<void> {
  demandReader();
  face.data(snapshotJson(logged));
  if (face.json && options.stat !== true) return;
  if (options.oneline === true) face.print(oneLine(face, logged));
  else for (const line of snapshotLines(face, logged, layout)) face.print(line);
  if (options.stat === true) await showStat(face, workspace, logged, paths);
}

function oneLine(face: Face, { id, snapshot, isHead, tags }: LoggedSnapshot): string {
  const names = [...(isHead ? ['HEAD'] : []), ...tags];
  const title = snapshot.message.split('\n')[0] ?? '';
  return `${face.style('id', shortId(id))} ${names.length === 0 ? '' : `${face.style('ref', `(${face.safe(names.join(', '))})`)} `}${title === '' ? formatWhen(new Date(snapshot.time), face.now) : face.safe(title)}`;
}

async function showStat(
  face: Face,
  workspace: Workspace,
  logged: LoggedSnapshot,
  paths: readonly string[],
): Promise<void> {
  const { snapshotChanges } = await import('../../api/history.ts');
  const totals = new ChangeTotals();
  const width = Math.max(10, Math.min(60, face.width - 30));
  for await (const change of snapshotChanges(workspace, logged, {
    paths,
    foldFolders: !face.verbose && !face.json,
  })) {
    demandReader();
    totals.add(change);
    if (face.json) face.data({ ...changeJson(change), snapshot: logged.id });
    else if (totals.lines <= STAT_LINES_MAX || face.verbose)
      face.print(
        `   ${face.style(changeStyle(change), changeLetter(change))} ${padEnd(cutStart(changePaths(face, change), width), width)}  ${sizeText(change)}`,
      );
  }
  const more = face.verbose ? 0 : totals.lines - STAT_LINES_MAX;
  if (more > 0) face.print(`   … and ${more} more (--verbose shows all)`);
  if (totals.lines > 0)
    face.print(face.style('dim', `   ${totals.text()}, stored ${formatSize(logged.snapshot.changes.storedBytes)}`));
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
