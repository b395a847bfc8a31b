/** All commands, in the order in which help shows them. */
import type { Command } from 'commander';
import { catCommand } from './commands/cat.ts';
import { checkIgnoreCommand } from './commands/check-ignore.ts';
import { checkoutCommand } from './commands/checkout.ts';
import { commitCommand } from './commands/commit.ts';
import { completionCommand } from './commands/completion.ts';
import { configCommand } from './commands/config.ts';
import { diffCommand } from './commands/diff.ts';
import { findCommand } from './commands/find.ts';
import { gcCommand } from './commands/gc.ts';
import { initCommand } from './commands/init.ts';
import { logCommand } from './commands/log.ts';
import { lsCommand } from './commands/ls.ts';
import { opCommand } from './commands/op.ts';
import { reindexCommand } from './commands/reindex.ts';
import { repairCommand } from './commands/repair.ts';
import { showCommand } from './commands/show.ts';
import { statsCommand } from './commands/stats.ts';
import { statusCommand } from './commands/status.ts';
import { tagCommand } from './commands/tag.ts';
import { undoCommand } from './commands/undo.ts';
import { verifyCommand } from './commands/verify.ts';
import type { Face } from './face.ts';

/** Wraps what a command does: `args` are its positional arguments, `options` its own options. */
export type Action = <Args extends readonly unknown[], Options>(
  name: string,
  work: (face: Face, args: Args, options: Options) => Promise<void>,
) => (...args: unknown[]) => Promise<void>;

/** Makes one command; `action` gives it the Face. */
export type DefineCommand = (action: Action) => Command;

export const COMMANDS: readonly DefineCommand[] = [
  initCommand,
  commitCommand,
  statusCommand,
  logCommand,
  showCommand,
  diffCommand,
  lsCommand,
  catCommand,
  findCommand,
  checkoutCommand,
  tagCommand,
  undoCommand,
  opCommand,
  gcCommand,
  verifyCommand,
  repairCommand,
  reindexCommand,
  statsCommand,
  configCommand,
  checkIgnoreCommand,
  completionCommand,
];
