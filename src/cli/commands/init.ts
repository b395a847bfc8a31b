/** `snap init` */
import { Command, Option } from 'commander';
import { isWithin, snapFolder } from '../../repo/layout.ts';
import type { DefineCommand } from '../commands.ts';
import type { Face } from '../face.ts';

interface Options {
  readonly store?: string;
  readonly name?: string;
  readonly nested?: boolean;
  readonly separate?: boolean;
}

/** Whoever has written a `.snapignore` may not have thought of it. */
async function tellOfGit(face: Face, root: string): Promise<void> {
  const { openWorkspace } = await import('../../api/workspace.ts');
  const { explainIgnored, isFolderNow } = await import('../../api/history.ts');
  const workspace = await openWorkspace(root, face.openOptions());
  try {
    if (isFolderNow(workspace, '.git') && explainIgnored(workspace, ['.git/']).some(({ ignored }) => !ignored))
      face.note('.git will be stored as well; a line "/.git/" in .snapignore leaves it out');
  } finally {
    await workspace.close();
  }
}

export const initCommand: DefineCommand = (action) =>
  new Command('init')
    .summary('make a folder a workspace')
    .description(
      'Makes a folder (default: this one) a workspace: a .snap folder with its settings, its index and its store.',
    )
    .argument('[dir]', 'the folder', '.')
    .option('--store <path>', 'keep snapshots in this store, which several workspaces may share')
    .option('--name <name>', 'name of the workspace in snapshots (default: the name of the folder)')
    .option('--nested', 'allow a workspace, or its store, inside another one')
    .addOption(
      new Option('--separate', 'make a copied folder, whose store is the same, a workspace of its own').conflicts([
        'store',
        'nested',
      ]),
    )
    .addHelpText('after', '\nExamples:\n  snap init\n  snap init ~/data/models --store /mnt/big/snapshots')
    .action(
      action('init', async (face, [dir]: [string], options: Options) => {
        const { initWorkspace, separateWorkspace } = await import('../../api/workspace.ts');
        const root = face.place(dir, 'the name of the folder');
        if (options.separate === true) {
          const separated = await separateWorkspace(root, { name: options.name });
          face.data({ schema: 1, type: 'init', separate: true, ...separated });
          face.say(
            `${face.safe(separated.root)} is a workspace of its own now, with the name ${face.safe(separated.name)}`,
          );
          return;
        }
        const result = await initWorkspace(root, {
          name: options.name,
          nested: options.nested,
          store: options.store === undefined ? undefined : face.place(options.store, 'the folder of --store'),
        });
        face.data({ schema: 1, type: 'init', ...result, ignored: result.ignored ?? null });
        face.say(`${face.safe(root)} is a workspace now`);
        const ownStore = isWithin(result.store, snapFolder(root));
        const isAgain = ownStore || result.identity === 'former';
        const joined = isAgain ? ' (its history is here again)' : ' (it was there already and is shared now)';
        face.say(` store    ${face.safe(result.store)}${result.joined ? joined : ''}`);
        if (result.identity !== 'new') face.say(' settings as new ones: those that it had are lost');
        if (result.identity === 'unknown')
          face.say(
            ' identity  a new one, at the HEAD it had: which workspace of the store it was is not known for sure',
          );
        if (result.ignored === undefined) {
          face.say(' ignored  as your .snapignore says');
          await tellOfGit(face, root);
        } else if (result.ignored.length > 0)
          face.say(` ignored  ${result.ignored.join(' ')}  (a proposal: edit .snapignore)`);
        face.say(result.joined && isAgain ? 'Next: snap log' : 'Next: snap commit -m "first"');
      }),
    );
