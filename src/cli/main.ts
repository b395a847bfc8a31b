/**
 * The command line: parses, runs one command, maps what happened to an exit code. Commands are defined in commands/;
 * what they do is loaded when they run, so that help and version start fast.
 */
import { isAbsolute, resolve } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { printable } from '../bytes/printable.ts';
import { SnapError } from '../errors.ts';
import { VERSION } from '../version.ts';
import { COMMANDS } from './commands.ts';
import { EXIT, EXIT_OF_SIGNAL } from './exit-code.ts';
import type { GlobalOptions } from './face.ts';
import { Face, nonEmpty } from './face.ts';
import { helpLayout } from './help.ts';
import { insteadOf } from './other-words.ts';
import { watchOutput } from './output.ts';

/** Runs the command line of this process. Never throws; sets the exit code. */
export async function run(given: readonly string[] = process.argv): Promise<void> {
  const stop = new AbortController();
  handleSignals(stop);
  // Whatever a caller masks, its user must be able to use what is made here.
  process.umask(process.umask() & ~0o700);
  watchOutput();
  let argv = given;
  let face = new Face('snap', {}, '/', stop.signal);
  const program = new Command('snap');
  program
    .description('Snapshots of any project folder: code, datasets, database dumps, model weights.')
    .version(VERSION, '-V, --version')
    .option('-C <dir>', 'run as if started in <dir>')
    .option('--json', 'print JSON for programs')
    .option('-q, --quiet', 'print errors and listings only')
    .option('-v, --verbose', 'print more, and stacks of errors')
    .addOption(new Option('--no-color', 'no colours (NO_COLOR works too)'))
    .option('--lock-timeout <seconds>', 'how long to wait for another command in this workspace', '10')
    .showHelpAfterError('Run with --help to see what there is.')
    .helpCommand('help [command]', 'explain a command')
    .configureHelp(helpLayout(false))
    .configureOutput({
      writeErr: (text) => wantsJson(argv) || process.stderr.write(text),
      outputError: (text, write) => write(text.split('\n').map(printable).join('\n')),
    })
    .exitOverride();
  for (const define of COMMANDS) {
    const command = define((name, work) => async (...args: unknown[]) => {
      const called = args.at(-1) as Command;
      const options = called.optsWithGlobals<GlobalOptions>();
      face = new Face(`snap ${name}`, options, '/', stop.signal);
      const folder = nonEmpty(options.C ?? '.', 'the folder of -C');
      face = new Face(`snap ${name}`, options, resolve(await workingFolder(options.C), folder), stop.signal);
      await work(face, args.slice(0, -2) as never, called.opts() as never);
    });
    inheritSettings(command, program);
    program.addCommand(command);
  }
  try {
    if (given.slice(2).some((word) => word.includes('\uFFFD')))
      argv = (await import('../environment.ts')).exactArguments(given);
    await program.parseAsync(withHelpOption(withLogCounts(argv)));
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) face.exitCode = EXIT.done;
      else {
        face = new Face('snap', { json: wantsJson(argv) }, '/', stop.signal);
        if (face.json) face.fail(usageError(error));
        else {
          const instead = insteadOf(error.message);
          if (instead !== undefined) face.note(`In snap: ${instead}.`);
          face.exitCode = EXIT.usage;
        }
      }
    } else
      face.fail(
        stop.signal.aborted && !(error instanceof SnapError && error.code === 'corrupt-data')
          ? interruption(stop.signal)
          : error,
      );
  }
  process.exitCode = face.exitCode;
}

/** Where a relative path begins. Throws `not-found` if that folder was removed and `given` does not do without it. */
async function workingFolder(given: string | undefined): Promise<string> {
  try {
    const folder = process.cwd();
    return folder.includes('\uFFFD') ? (await import('../environment.ts')).exactFolder(folder) : folder;
  } catch (error) {
    if (error instanceof SnapError) throw error;
    if (given === undefined || !isAbsolute(given))
      throw new SnapError('not-found', 'the folder that this runs in is not there any more', {
        hint: 'Change to another folder, or name one with -C <dir>.',
      });
    // Threads do not start without one.
    process.chdir('/');
    return '/';
  }
}

/** `snap log -3` is `snap log -n 3`, as in git. */
function withLogCounts(argv: readonly string[]): string[] {
  if (!argv.includes('log')) return [...argv];
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  return argv.flatMap((word, i) =>
    i < end && /^-[0-9]{1,9}$/.test(word) && argv[i - 1] !== '-n' ? ['-n', word.slice(1)] : [word],
  );
}

/** `snap help config set` is `snap config set --help`: the parser would show the help of `config`. */
function withHelpOption(argv: readonly string[]): readonly string[] {
  const [node = '', script = '', word, ...command] = argv;
  return word === 'help' && command.length > 1 ? [node, script, ...command, '--help'] : argv;
}

/** Errors of the parser itself come before its options are known. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
}

function usageError({ message }: CommanderError): SnapError {
  const text = message.startsWith('error: ') ? message.slice('error: '.length) : 'no command was given';
  return new SnapError('usage', text.replaceAll('\n', ' '), {
    hint: insteadOf(message) ?? 'Run with --help to see what there is.',
  });
}

/** Commands made elsewhere take over how errors and help are shown, and so do theirs. */
function inheritSettings(command: Command, from: Command): void {
  command.copyInheritedSettings(from).configureHelp(helpLayout(true));
  for (const inner of command.commands) inheritSettings(inner, command);
}

function interruption(signal: AbortSignal): SnapError {
  return new SnapError(
    'interrupted',
    `stopped by ${String(signal.reason)}; nothing is lost, and no file is half written`,
    {
      hint: 'Run the command again to go on.',
    },
  );
}

/** The first signal stops the command in order; a second one ends the process at once. */
function handleSignals(stop: AbortController): void {
  for (const [signal, code] of Object.entries(EXIT_OF_SIGNAL)) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(code);
      stop.abort(signal);
    });
  }
}
