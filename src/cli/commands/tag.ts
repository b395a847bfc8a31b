/** `snap tag` */
import { Command } from 'commander';
import type { Workspace } from '../../api/workspace.ts';
import { formatWhen } from '../../bytes/time-expression.ts';
import { SnapError } from '../../errors.ts';
import { shortId } from '../../object/blob-id.ts';
import type { DefineCommand } from '../commands.ts';
import type { Face } from '../face.ts';

interface Options {
  readonly delete?: boolean;
  readonly force?: boolean;
}

export const tagCommand: DefineCommand = (action) =>
  new Command('tag')
    .summary('list, set or remove tags')
    .description('Without a name: lists the tags. With one: gives that name to a snapshot, which gc then never prunes.')
    .argument('[name]', 'the tag')
    .argument('[rev]', 'the snapshot (default: HEAD)')
    .option('-d, --delete', 'remove the tag; the snapshot stays')
    .option('-f, --force', 'move a tag that exists')
    .addHelpText(
      'after',
      '\nExamples:\n  snap tag\n  snap tag v1.2.0\n  snap tag before-migration HEAD~2\n  snap tag -d v1.2.0',
    )
    .action(
      action('tag', (face, [name, rev]: [string | undefined, string | undefined], options: Options) =>
        face.withWorkspace(async (workspace) => {
          if (name === undefined) {
            if (options.delete === true || options.force === true)
              throw new SnapError('usage', 'which tag?', { hint: 'For example: snap tag -d v1.2.0' });
            await listTags(face, workspace);
          } else if (options.delete === true) {
            if (rev !== undefined)
              throw new SnapError('usage', 'with --delete there is only the name of a tag', {
                hint: `snap tag -d ${name}`,
              });
            await remove(face, workspace, name);
          } else await set(face, workspace, name, rev, options.force ?? false);
        }),
      ),
    );

async function listTags(face: Face, workspace: Workspace): Promise<void> {
  const { tags } = await import('../../api/tag.ts');
  const listed = await tags(workspace);
  const width = Math.min(40, Math.max(0, ...listed.map(({ name }) => name.length)));
  for (const { name, id, snapshot } of listed) {
    face.data({ schema: 1, type: 'tag', name, id, time: snapshot.time, message: snapshot.message });
    const when = formatWhen(new Date(snapshot.time), face.now);
    const title = snapshot.message.split('\n')[0] ?? '';
    face.print(
      ` ${face.style('ref', face.safe(name.padEnd(width)))}  ${face.style('id', shortId(id))}  ${when.padEnd(16)}  ${title === '' ? face.style('dim', '(no message)') : face.safe(title)}`,
    );
  }
  if (listed.length === 0) face.say(' no tags yet');
}

async function set(
  face: Face,
  workspace: Workspace,
  name: string,
  rev: string | undefined,
  force: boolean,
): Promise<void> {
  const { tag } = await import('../../api/tag.ts');
  const change = await tag(workspace, name, { revision: rev, force });
  face.data({ schema: 1, type: 'tag-change', ...change });
  const to = change.to === null ? '-' : face.style('id', shortId(change.to));
  const before =
    change.from === null
      ? ''
      : change.from === change.to
        ? '  (it was there already)'
        : `  (was at ${shortId(change.from)})`;
  face.say(` ${face.style('ref', face.safe(name))}  ${to}${before}`);
}

async function remove(face: Face, workspace: Workspace, name: string): Promise<void> {
  const { removeTag } = await import('../../api/tag.ts');
  const change = await removeTag(workspace, name);
  face.data({ schema: 1, type: 'tag-change', ...change });
  face.say(
    ` removed the tag ${face.safe(name)}, which was at ${change.from === null ? '-' : shortId(change.from)} (snap undo brings it back)`,
  );
}
