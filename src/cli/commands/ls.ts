/** `snap ls` */
import { Command } from 'commander';
import { formatSize } from '../../bytes/quantity.ts';
import { formatWhen } from '../../bytes/time-expression.ts';
import type { TreeEntry } from '../../object/tree-entry.ts';
import { ENTRY_KIND } from '../../object/tree-entry.ts';
import type { DefineCommand } from '../commands.ts';
import { entryDate, entryJson, modeText, shownPath } from '../describe-entry.ts';
import type { Face } from '../face.ts';
import { jsonText } from '../json.ts';
import { gatherLines } from '../output.ts';
import { fromHere } from '../revision-arguments.ts';

interface Options {
  readonly long?: boolean;
  readonly recursive?: boolean;
}

export const lsCommand: DefineCommand = (action) =>
  new Command('ls')
    .summary('list what is in a snapshot')
    .description('Lists a folder of a snapshot (default: all of HEAD, the top folder).')
    .argument('[rev[:path]]', 'the snapshot, and the folder in it', 'HEAD')
    .option('-l, --long', 'with mode, owner, size and time')
    .option('-R, --recursive', 'with everything below')
    .addHelpText('after', '\nExamples:\n  snap ls\n  snap ls -l v1.2.0:models\n  snap ls -R HEAD~1:src')
    .action(
      action('ls', (face, [text]: [string], options: Options) =>
        face.withWorkspace(async (workspace) => {
          const { list } = await import('../../api/history.ts');
          const lines = gatherLines();
          for await (const { path, name, entry } of list(workspace, await fromHere(face, workspace, text), {
            recursive: options.recursive,
          })) {
            if (face.json) await lines.add(jsonText({ schema: 1, type: 'entry', path, ...entryJson(entry) }));
            else
              await lines.add(
                options.long === true ? face.fitted(longLine(face, name, entry)) : shownPath(face, name, entry),
              );
          }
          await lines.flush();
        }),
      ),
    );

function longLine(face: Face, name: string, entry: TreeEntry): string {
  const size =
    entry.kind === ENTRY_KIND.file
      ? formatSize(entry.size)
      : entry.kind === ENTRY_KIND.charDevice || entry.kind === ENTRY_KIND.blockDevice
        ? `${entry.major}, ${entry.minor}`
        : '-';
  const target = entry.kind === ENTRY_KIND.symlink ? ` -> ${face.safe(entry.target)}` : '';
  const owner = `${entry.uid}:${entry.gid}`;
  return `${modeText(entry)}  ${owner.padEnd(9)}  ${size.padStart(7)}  ${formatWhen(entryDate(entry), face.now).padEnd(15)}  ${shownPath(face, name, entry)}${target}`;
}
