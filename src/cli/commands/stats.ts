/** `snap stats` */
import { Command } from 'commander';
import type { StoreStats } from '../../api/stats.ts';
import { formatCount, formatSize } from '../../bytes/quantity.ts';
import { formatWhen } from '../../bytes/time-expression.ts';
import { shortId } from '../../object/blob-id.ts';
import type { DefineCommand } from '../commands.ts';
import type { Face } from '../face.ts';

interface Options {
  readonly all?: boolean;
}

export const statsCommand: DefineCommand = (action) =>
  new Command('stats')
    .summary('what snapshots take, and what grew')
    .description(
      'Sizes of all snapshots of this workspace, or of those named: of files, of different contents, in the store, and what only they hold; the largest paths, and those that grew most.',
    )
    .argument('[revisions...]', 'snapshots to measure, taken together')
    .option('--all', 'of every workspace of the store')
    .addHelpText('after', '\nExamples:\n  snap stats\n  snap stats HEAD~3 HEAD~2\n  snap stats v1.0.0')
    .action(
      action('stats', (face, [revisions]: [string[]], options: Options) =>
        face.withWorkspace(async (workspace) => {
          const { stats } = await import('../../api/stats.ts');
          const progress = face.progress();
          progress.update(() => 'measuring');
          try {
            const result = await stats(workspace, { revisions, all: options.all });
            progress.stop();
            const ratios = {
              dedupRatio: ratio(result.logicalBytes, result.uniqueBytes),
              compressionRatio: ratio(result.uniqueBytes + result.metadataBytes, result.storedBytes),
            };
            face.data({
              schema: 1,
              type: 'stats',
              ...result,
              ...ratios,
              newest: result.newest ?? null,
              oldest: result.oldest ?? null,
              since: result.since ?? null,
            });
            say(face, result, ratios);
          } finally {
            progress.stop();
          }
        }),
      ),
    );

function say(
  face: Face,
  stats: StoreStats,
  { dedupRatio, compressionRatio }: { readonly dedupRatio: number | null; readonly compressionRatio: number | null },
): void {
  if (stats.newest === undefined || stats.oldest === undefined) {
    face.print(' no snapshots yet');
    return;
  }
  const when = (time: string): string => formatWhen(new Date(time), face.now);
  const line = (name: string, value: string, remark: string): void =>
    face.print(` ${name.padEnd(10)} ${value.padStart(9)}   ${face.style('dim', remark)}`.trimEnd());
  line(
    'snapshots',
    formatCount(stats.snapshots),
    stats.snapshots === 1 ? when(stats.newest.time) : `${when(stats.oldest.time)} to ${when(stats.newest.time)}`,
  );
  line(
    'files',
    formatCount(stats.files),
    `${formatSize(stats.fileBytes)}${stats.snapshots === 1 ? '' : ' in the newest'}`,
  );
  if (stats.snapshots > 1) line('logical', formatSize(stats.logicalBytes), 'all of them, each by itself');
  line(
    'unique',
    formatSize(stats.uniqueBytes),
    `different contents${times(dedupRatio)}; and ${formatSize(stats.metadataBytes)} of trees`,
  );
  line(
    'stored',
    formatSize(stats.storedBytes),
    `compressed${times(compressionRatio)}; the store has ${formatSize(stats.storeBytes)}`,
  );
  const { files, bytes } = stats.leftovers;
  if (files > 0)
    line('left over', formatSize(bytes), `${formatCount(files)} files of interrupted commands; snap gc removes them`);
  line('only here', formatSize(stats.heldBytes), 'needed by no other snapshot');
  if (stats.largest.length > 0) {
    face.print(`\n largest in ${face.style('id', shortId(stats.newest.id))}`);
    for (const { path, bytes } of stats.largest) face.print(` ${formatSize(bytes).padStart(10)}  ${face.safe(path)}`);
  }
  if (stats.grown.length > 0 && stats.since !== undefined) {
    face.print(`\n grown since ${face.style('id', shortId(stats.since))}`);
    for (const { path, before, after } of stats.grown)
      face.print(
        ` ${`+${formatSize(after - before)}`.padStart(10)}  ${face.safe(path)}${before === 0 ? face.style('dim', '  new') : ''}`,
      );
  }
}

function times(value: number | null): string {
  return value === null ? '' : `, ${value.toFixed(value < 10 ? 1 : 0)} : 1`;
}

/** To two decimals; null if there is nothing to divide by. */
function ratio(a: number, b: number): number | null {
  return b === 0 ? null : Math.round((a / b) * 100) / 100;
}
