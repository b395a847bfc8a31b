/**
 * What every command of the command line shares: where output goes, how it looks, which folder it is about, and the
 * exit code. Data goes to stdout; messages for people go to stderr when stdout carries JSON, and to stdout otherwise.
 */
import { relative, resolve } from 'node:path';
import { styleText } from 'node:util';
import type { OpenOptions, Workspace } from '../api/workspace.ts';
import { printable } from '../bytes/printable.ts';
import { formatCount } from '../bytes/quantity.ts';
import { errnoOf, fromSystemError, SnapError } from '../errors.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { jsonText } from './json.ts';
import { untilUnread } from './output.ts';
import type { Progress } from './progress.ts';
import { startProgress } from './progress.ts';
import { wrapLine } from './text-width.ts';

export interface GlobalOptions {
  readonly C?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: boolean;
  readonly lockTimeout?: string;
}

export type Style = 'id' | 'dim' | 'good' | 'bad' | 'warn' | 'bold' | 'ref';
const STYLES = {
  id: 'yellow',
  dim: 'dim',
  good: 'green',
  bad: 'red',
  warn: 'yellow',
  bold: 'bold',
  ref: 'cyan',
} as const;

/** A person reads no more of a kind; the document of --json has all. */
const WARNINGS_MAX = 20;
/** Terminals of fewer columns get lines broken at blanks. */
const NARROW = 80;

/** How long commands that change the folder wait for a status, log or the like that has the index (ms). */
const INDEX_WAIT_MS = 1000;

export class Face {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Absolute path of the folder that the command is about. */
  readonly folder: string;
  readonly signal: AbortSignal;
  exitCode: number = EXIT.done;
  readonly #color: boolean;
  readonly #options: GlobalOptions;
  readonly #command: string;

  constructor(command: string, options: GlobalOptions, folder: string, signal: AbortSignal) {
    this.#command = command;
    this.#options = options;
    this.json = options.json ?? false;
    this.quiet = options.quiet ?? false;
    this.verbose = options.verbose ?? false;
    this.folder = folder;
    this.signal = signal;
    const { env } = process;
    const wanted = (env.FORCE_COLOR ?? '') !== '' && env.FORCE_COLOR !== '0';
    this.#color =
      options.color !== false &&
      !this.json &&
      (env.NO_COLOR ?? '') === '' &&
      env.TERM !== 'dumb' &&
      (process.stdout.isTTY === true || wanted);
  }

  /** Columns of the terminal; a wide default where there is none. */
  get width(): number {
    return process.stdout.isTTY === true ? Math.max(20, process.stdout.columns || 80) : 120;
  }

  /** A line broken to fit a narrow terminal. */
  fitted(line: string): string {
    return process.stdout.isTTY === true && this.width < NARROW ? wrapLine(line, this.width) : line;
  }

  get now(): Date {
    return new Date();
  }

  /** A line of the result for people. Not printed under --json or --quiet. */
  say(line = ''): void {
    if (!this.json && !this.quiet) process.stdout.write(`${this.fitted(line)}\n`);
  }

  /** A line of data that people asked for by name (a listing, a file's text): printed under --quiet too. */
  print(line: string): void {
    if (!this.json) process.stdout.write(`${this.fitted(line)}\n`);
  }

  /** A notice beside the result, on stderr. Not printed under --quiet. */
  note(line: string): void {
    if (!this.quiet) this.#tell('note', line, '');
  }

  /** Something that went wrong without ending the command: on stderr, always. */
  warn(line: string): void {
    this.#tell('warning', line, `${this.style('warn', 'warning:')} `);
  }

  /** Of many warnings of one kind the first, and how many more there are. */
  warnAll(lines: readonly string[]): void {
    const shown = this.verbose ? lines : lines.slice(0, WARNINGS_MAX);
    for (const line of shown) this.warn(line);
    if (lines.length > shown.length)
      this.warn(`… and ${formatCount(lines.length - shown.length)} more (--verbose shows all)`);
  }

  /** The one JSON document of a command, or one record of a stream of JSON lines. Only under --json. */
  data(value: unknown): void {
    if (this.json) process.stdout.write(`${jsonText(value)}\n`);
  }

  #tell(type: 'note' | 'warning', message: string, prefix: string): void {
    process.stderr.write(`${this.json ? jsonText({ schema: 1, type, message }) : prefix + message}\n`);
  }

  style(style: Style, text: string): string {
    return this.#color ? styleText(STYLES[style], text, { validateStream: false }) : text;
  }

  /** As `safe`, but backslashes that belong to a pattern, or to a quoted name, stay single. */
  safePattern(text: string): string {
    return printable(text).replaceAll('\\\\', '\\');
  }

  /** A path or message from a file system or store, safe for a terminal. */
  safe(text: string): string {
    return printable(text);
  }

  progress(): Progress {
    return startProgress(!this.json && !this.quiet);
  }

  /** Opens the workspace for a command, prints notices, and closes it whatever happens. */
  async withWorkspace(work: (workspace: Workspace) => Promise<void>, indexWaitMs = 0): Promise<void> {
    const { openWorkspace } = await import('../api/workspace.ts');
    const workspace = await openWorkspace(this.folder, { ...this.openOptions(), indexWaitMs });
    try {
      for (const notice of workspace.repository.notices) this.note(notice);
      await untilUnread(work(workspace));
      // What was read is right; that there is damage must not go unnoticed. A repair may have mended it.
      const { damage } = workspace.repository;
      if (damage !== undefined) this.fail(damage);
    } finally {
      await workspace.close();
    }
  }

  /** As `withWorkspace`, for commands that change or record the whole folder: without the index they read every file. */
  withWholeFolder(work: (workspace: Workspace) => Promise<void>): Promise<void> {
    return this.withWorkspace(work, INDEX_WAIT_MS);
  }

  openOptions(): OpenOptions {
    const { lockTimeout = '10' } = this.#options;
    const seconds = lockTimeout.trim() === '' ? Number.NaN : Number(lockTimeout);
    if (!Number.isFinite(seconds) || seconds < 0)
      throw new SnapError('usage', `--lock-timeout takes seconds, not "${lockTimeout}"`, {
        hint: 'For example --lock-timeout 60.',
      });
    return {
      signal: this.signal,
      command: this.#command,
      lockTimeoutMs: seconds * 1000,
      onWaiting: (who) => this.note(`waiting for ${this.safe(who)}`),
    };
  }

  /** Absolute path of the folder that a person named by `what`. Throws `usage` for an empty name. */
  place(path: string, what: string): string {
    return resolve(this.folder, nonEmpty(path, what));
  }

  /** Turns a path that a person typed (relative to the folder) into one relative to the workspace, "/" between names. Throws `usage` for one outside and for an empty one. */
  workspacePath(workspace: Workspace, path: string): string {
    const inside = relative(workspace.root, resolve(this.folder, nonEmpty(path, 'a path')));
    if (inside === '..' || inside.startsWith('../')) {
      throw new SnapError('usage', `${path} is outside the workspace ${workspace.root}`, {
        hint: 'Name paths inside it, or run snap in the workspace they belong to.',
      });
    }
    return inside;
  }

  /** Prints an error and sets the exit code. */
  fail(error: unknown): void {
    const known = asSnapError(error);
    this.exitCode = exitCodeOf(known.code, this.signal);
    if (this.json) {
      process.stderr.write(
        `${jsonText({ schema: 1, type: 'error', code: known.code, message: known.message, hint: known.hint ?? null, exitCode: this.exitCode })}\n`,
      );
      return;
    }
    const message = known.message.split('\n').map(printable).join('\n ');
    process.stderr.write(`${this.style('bad', 'error:')} ${message}\n`);
    if (known.hint !== undefined) process.stderr.write(`${this.safePattern(known.hint)}\n`);
    if (this.verbose && (known.code === 'internal' || known.cause !== undefined))
      process.stderr.write(
        `${known.stack ?? ''}\n${known.cause instanceof Error ? (known.cause.stack ?? '') : String(known.cause ?? '')}\n`,
      );
  }
}

/** Throws `usage` for an empty path: it would be this folder, and is a variable that was not set. */
export function nonEmpty(path: string, what: string): string {
  if (path !== '') return path;
  throw new SnapError('usage', `${what} is empty`, {
    hint: 'Perhaps a variable in it is not set. The folder that you are in is ".".',
  });
}

function asSnapError(error: unknown): SnapError {
  if (error instanceof SnapError) return error;
  if (error instanceof Error && error.name === 'AbortError')
    return new SnapError('interrupted', 'interrupted; nothing is lost, and no file is half written');
  if (error instanceof Error && /^E[A-Z]+$/.test(errnoOf(error) ?? '')) {
    const { syscall, path } = error as NodeJS.ErrnoException;
    return fromSystemError(error, `calling ${syscall ?? '?'} on`, path ?? 'a file of the workspace or the store');
  }
  const message = error instanceof Error ? error.message : String(error);
  return new SnapError('internal', message, {
    hint: 'This is a bug in snap, or a failure of the machine; run again with --verbose and report what it prints.',
    cause: error,
  });
}
