/** `snap op log` */
import { Command, InvalidArgumentError } from 'commander';
import { formatWhen } from '../../bytes/time-expression.ts';
import { shortId } from '../../object/blob-id.ts';
import type { PastOperation } from '../../repo/operation-history.ts';
import { refInWords } from '../../repo/ref-changes.ts';
import type { Action, DefineCommand } from '../commands.ts';
import type { Face } from '../face.ts';
import { helpLayout } from '../help.ts';
import { warnDamaged } from './undo.ts';

interface Options {
  readonly number?: number;
  readonly all?: boolean;
}

export const opCommand: DefineCommand = (action) =>
  new Command('op')
    .summary('what snap did here')
    .description(
      'Operations: everything that changed snapshots, tags or the folder, each with an id that `snap undo` takes.',
    )
    .addCommand(logCommand(action))
    .addHelpText('after', '\nExamples:\n  snap op log\n  snap op log -n 5');

function logCommand(action: Action): Command {
  return subcommand('log')
    .summary('list operations, newest first')
    .option('-n, --number <count>', 'only the newest', parseCount)
    .option('--all', 'of all workspaces that share the store')
    .addHelpText('after', '\nExamples:\n  snap op log\n  snap op log -n 5')
    .action(
      action('op log', (face, _args: [], options: Options) =>
        face.withWorkspace(async (workspace) => {
          const { damagedOperations, operationLog } = await import('../../api/undo.ts');
          warnDamaged(face, damagedOperations(workspace));
          let left = options.number ?? Number.POSITIVE_INFINITY;
          if (left === 0) return;
          for await (const operation of operationLog(workspace, { all: options.all })) {
            face.data(describe(operation));
            printOperation(face, operation);
            if (--left <= 0) return;
          }
        }),
      ),
    );
}

function printOperation(face: Face, operation: PastOperation): void {
  const done = operation.source === 'journal' ? operation.entry : operation.record;
  const when = formatWhen(new Date(done.time), face.now);
  const undone = operation.undoneBy === undefined ? '' : face.style('dim', `  undone by ${operation.undoneBy}`);
  face.print(
    ` ${face.style('id', operation.id.padEnd(5))}  ${when.padEnd(16)}  ${done.operation.padEnd(8)}  ${face.safe(whatItDid(operation))}${undone}`,
  );
}

function whatItDid(operation: PastOperation): string {
  if (operation.source === 'workspace') {
    const { record } = operation;
    const paths = record.paths === null ? '' : `: ${record.paths.join(' ')}`;
    const saved = record.saved === null ? '' : `, saved changes as ${shortId(record.saved)}`;
    return `${record.undoes === null ? '' : `w${record.undoes}: `}${shortId(record.to)}${paths}${saved}`;
  }
  const { entry } = operation;
  const snapshot =
    (entry.operation === 'commit' || entry.operation === 'checkout') && typeof entry.head?.to === 'string'
      ? `${shortId(entry.head.to)}  `
      : '';
  const note = entry.note === '' && entry.operation === 'commit' ? '(no message)' : entry.note;
  const others = entry.operation === 'prune' ? `${entry.note === '' ? '' : '  '}${refsInWords(entry.refs)}` : '';
  return `${snapshot}${note}${others}${operation.isAutosave ? '  (part of a checkout)' : ''}`;
}

function refsInWords(refs: readonly Parameters<typeof wordsOf>[0][]): string {
  const shown = refs.slice(0, 3).map(wordsOf).join(', ');
  return refs.length > 3 ? `${shown} and ${refs.length - 3} more` : shown;
}

function wordsOf(change: { readonly name: Parameters<typeof refInWords>[0] }): string {
  return refInWords(change.name);
}

function describe(operation: PastOperation): Record<string, unknown> {
  const { id, undoneBy, undoes, isAutosave } = operation;
  const common = {
    schema: 1,
    type: 'operation',
    id,
    undone: undoneBy !== undefined,
    undoneBy: undoneBy ?? null,
    undoes: undoes ?? null,
  };
  if (operation.source === 'workspace') {
    const { time, operation: name, from, saved, to, head, paths } = operation.record;
    return { ...common, time, operation: name, note: '', from, saved, to, head: { from, to: head }, paths, refs: [] };
  }
  const { time, operation: name, note, head, refs, host, user, workspace } = operation.entry;
  return { ...common, time, operation: name, note, head, refs, host, user, workspace, partOfCheckout: isAutosave };
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** What main.ts sets on commands does not reach those below them. */
function subcommand(name: string): Command {
  return new Command(name).exitOverride().configureHelp(helpLayout(true));
}
