/** `snap config get|set|list|edit|unset` */
import { Command } from 'commander';
import type { ListedSetting } from '../../api/config.ts';
import { SnapError } from '../../errors.ts';
import type { Action, DefineCommand } from '../commands.ts';
import type { Face } from '../face.ts';
import { helpLayout } from '../help.ts';

interface ListOptions {
  readonly all?: boolean;
  readonly showOrigin?: boolean;
}

export const configCommand: DefineCommand = (action) =>
  new Command('config')
    .summary('settings of this workspace')
    .description('Reads and changes the settings of this workspace (.snap/config.toml). Comments in the file are kept.')
    .addCommand(getCommand(action))
    .addCommand(setCommand(action))
    .addCommand(unsetCommand(action))
    .addCommand(listCommand(action))
    .addCommand(editCommand(action))
    .addHelpText(
      'after',
      "\nExamples:\n  snap config list --all\n  snap config set gc.keep-daily 7\n  snap config set commit.exclude '*.log' tmp/\n  snap config unset gc.keep-daily",
    );

function getCommand(action: Action): Command {
  return subcommand('get')
    .summary('print the value of a setting')
    .description(
      'Prints what a setting is: from the file, or its default. Lists have an item a line. Fails if it is neither set nor has a default.',
    )
    .argument('<key>', 'such as gc.keep-last')
    .addHelpText('after', '\nExamples:\n  snap config get commit.compression')
    .action(
      action('config get', async (face, [key]: [string]) => {
        const { openConfig } = await import('../../api/config.ts');
        const setting = openConfig(face.folder).get(key);
        if (setting.value === undefined)
          throw new SnapError('not-found', `${setting.key} is not set`, {
            hint: `It means: ${setting.help}. Set it: snap config set ${setting.key} <value>`,
          });
        face.data({ schema: 1, ...describe(setting) });
        for (const line of typeof setting.value === 'object' ? setting.value : [String(setting.value)])
          face.print(face.safe(line));
      }),
    );
}

function setCommand(action: Action): Command {
  return subcommand('set')
    .summary('change a setting')
    .description('Sets a setting. A list takes several values, or one with commas between.')
    .argument('<key>', 'such as gc.keep-last')
    .argument('<value...>', 'what it is to be')
    .addHelpText(
      'after',
      "\nExamples:\n  snap config set gc.keep-last 10\n  snap config set gc.tiers 7d:all,30d:day,90d:week\n  snap config set commit.exclude '*.log' tmp/",
    )
    .action(
      action('config set', async (face, [key, texts]: [string, string[]]) => {
        const { openConfig } = await import('../../api/config.ts');
        const value = await openConfig(face.folder).set(key, texts);
        face.data({ schema: 1, type: 'setting', key, value, isSet: true });
        face.say(`${key} = ${face.safe(JSON.stringify(value))}`);
      }),
    );
}

function unsetCommand(action: Action): Command {
  return subcommand('unset')
    .summary('remove a setting, so that its default holds')
    .argument('<key>', 'such as gc.keep-last')
    .addHelpText('after', '\nExamples:\n  snap config unset gc.keep-last')
    .action(
      action('config unset', async (face, [key]: [string]) => {
        const { openConfig } = await import('../../api/config.ts');
        const config = openConfig(face.folder);
        const removed = await config.unset(key);
        const { value } = config.get(key);
        face.data({ schema: 1, type: 'setting', key, value: value ?? null, isSet: false, removed });
        const now = value === undefined ? '' : `; the default is ${JSON.stringify(value)}`;
        face.say(face.safe(`${key} ${removed ? 'is not set any more' : 'was not set'}${now}`));
      }),
    );
}

function listCommand(action: Action): Command {
  return subcommand('list')
    .summary('list settings')
    .description('Lists the settings of the file; with --all every one there is, what it means and its default.')
    .option('-a, --all', 'those that are not set too, with what they mean')
    .option('--show-origin', 'say on which line each is set')
    .addHelpText('after', '\nExamples:\n  snap config list\n  snap config list --all')
    .action(
      action('config list', async (face, _args: [], options: ListOptions) => {
        const { openConfig } = await import('../../api/config.ts');
        const all = openConfig(face.folder).list();
        const shown = options.all === true ? all : all.filter((setting) => setting.isSet);
        face.data({ schema: 1, type: 'settings', settings: shown.map(describe) });
        for (const setting of shown) printSetting(face, setting, options);
      }),
    );
}

function editCommand(action: Action): Command {
  return subcommand('edit')
    .summary('open the settings in your editor')
    .description(
      'Opens a copy of the settings in $VISUAL or $EDITOR; when you close it, the copy is checked and takes the place of the file.',
    )
    .addHelpText('after', '\nExamples:\n  snap config edit\n  EDITOR="code --wait" snap config edit')
    .action(
      action('config edit', async (face) => {
        const { openConfig } = await import('../../api/config.ts');
        const config = openConfig(face.folder);
        const changed = await config.edit((copy) => runEditor(copy, face.signal));
        face.data({ schema: 1, type: 'config-edit', path: config.path, changed });
        face.say(changed ? `changed ${face.safe(config.path)}` : 'nothing was changed');
      }),
    );
}

/** Without a shell: $EDITOR is split at spaces, so that "code --wait" works and nothing else is interpreted. */
async function runEditor(file: string, signal: AbortSignal): Promise<void> {
  const { spawn } = await import('node:child_process');
  const chosen = [process.env.VISUAL, process.env.EDITOR].find((editor = '') => editor.trim() !== '');
  if (chosen === undefined && !isAtTerminal())
    throw new SnapError('refused', 'there is no terminal for an editor, and neither $VISUAL nor $EDITOR is set', {
      hint: '`snap config set <key> <value>` changes a setting without one.',
    });
  const wanted = chosen ?? 'vi';
  const [program = 'vi', ...args] = wanted.trim().split(/\s+/);
  const child = spawn(program, [...args, file], {
    stdio: ['inherit', process.stdout.isTTY === true ? 'inherit' : process.stderr, 'inherit'],
    signal,
  });
  const ended = await new Promise<number | string | Error>((resolve) => {
    child.on('error', resolve);
    child.on('close', (code, by) => resolve(by ?? code ?? 1));
  });
  if (ended === 0) return;
  if (signal.aborted)
    throw new SnapError('interrupted', 'stopped while the editor was open; the settings stay as they were');
  const why =
    ended instanceof Error
      ? `it could not be started (${ended.message})`
      : typeof ended === 'string'
        ? `it was ended by ${ended}`
        : `it ended with ${ended}`;
  throw new SnapError('refused', `the editor "${wanted}" did not finish: ${why}`, {
    hint: 'The settings stay as they were. Set $EDITOR to an editor that waits, for example EDITOR=nano.',
  });
}

/** An editor shows itself where it can: on stderr, if stdout is for the outcome. */
function isAtTerminal(): boolean {
  return process.stdin.isTTY === true && (process.stdout.isTTY === true || process.stderr.isTTY === true);
}

function printSetting(face: Face, setting: ListedSetting, options: ListOptions): void {
  const value = setting.value === undefined ? '' : face.safe(JSON.stringify(setting.value));
  const origin =
    options.showOrigin === true && setting.origin !== undefined
      ? `  ${face.style('dim', face.safe(setting.origin))}`
      : '';
  const assignment = `${setting.key} = ${value}`;
  if (options.all !== true) {
    face.print(`${assignment}${origin}`);
    return;
  }
  const state = setting.isSet
    ? assignment
    : setting.value === undefined
      ? `${setting.key} is not set`
      : `${assignment} (default)`;
  face.print(`${setting.isSet ? face.style('bold', state) : state}${origin}`);
  const initial = setting.isSet && setting.initial !== undefined ? `; default ${JSON.stringify(setting.initial)}` : '';
  face.print(face.style('dim', face.safe(`    ${setting.help}${initial}`)));
}

function describe(setting: ListedSetting): Record<string, unknown> {
  return {
    type: 'setting',
    key: setting.key,
    value: setting.value ?? null,
    isSet: setting.isSet,
    default: setting.initial ?? null,
    origin: setting.origin ?? null,
    help: setting.help,
  };
}

/** What main.ts sets on commands does not reach those below them. */
function subcommand(name: string): Command {
  return new Command(name).exitOverride().configureHelp(helpLayout(true));
}
