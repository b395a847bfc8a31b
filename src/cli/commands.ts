/** All commands, in the order in which help shows them. */
import type { Command } from 'commander';
import { checkoutCommand } from './commands/checkout.ts';
import { commitCommand } from './commands/commit.ts';
import { completionCommand } from './commands/completion.ts';
import { configCommand } from './commands/config.ts';
import { gcCommand } from './commands/gc.ts';
import { initCommand } from './commands/init.ts';
import { opCommand } from './commands/op.ts';
import { tagCommand } from './commands/tag.ts';
import { undoCommand } from './commands/undo.ts';
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
  checkoutCommand,
  tagCommand,
  undoCommand,
  opCommand,
  gcCommand,
  configCommand,
  completionCommand,
];
