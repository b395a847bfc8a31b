/** `snap reindex` */
import { Command } from 'commander';
import { formatCount, formatDurationMs } from '../../bytes/quantity.ts';
import type { DefineCommand } from '../commands.ts';
import { EXIT } from '../exit-code.ts';

interface Options {
  readonly acceptStore?: boolean;
}

export const reindexCommand: DefineCommand = (action) =>
  new Command('reindex')
    .summary('build the index again from the store')
    .description(
      'Throws the index of this workspace away and builds it again from journal and packs. Nothing is lost by it: the index is derived, and if the journal is damaged, so that the index may know more than the store, it is kept (exit code 20; `snap repair` mends the journal). The next commit reads every file again.',
    )
    .option('--accept-store', 'an older copy of the store was put back on purpose: forget what came after it')
    .addHelpText('after', '\nExamples:\n  snap reindex\n  snap reindex --accept-store')
    .action(
      action('reindex', async (face, _args: [], options: Options) => {
        const { reindex } = await import('../../api/reindex.ts');
        const progress = face.progress();
        progress.update(() => 'reading packs');
        try {
          const { milliseconds, ...counts } = await reindex(face.folder, { ...face.openOptions(), ...options });
          progress.stop();
          face.data({ schema: 1, type: 'reindex', ...counts, milliseconds: Math.round(milliseconds) });
          face.say(
            ` index built again: ${formatCount(counts.blobs)} blobs in ${formatCount(counts.packs)} packs, ${formatCount(counts.trees)} trees, ${formatCount(counts.snapshots)} snapshots        ${formatDurationMs(milliseconds)}`,
          );
          if (counts.damaged > 0) {
            face.exitCode = EXIT.damaged;
            face.warn(`${formatCount(counts.damaged)} packs or blobs could not be read`);
            face.note('Run `snap verify` to see which snapshots and paths need them.');
          }
        } finally {
          progress.stop();
        }
      }),
    );
