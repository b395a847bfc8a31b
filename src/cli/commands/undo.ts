/** `snap undo` */
import { Command } from 'commander';
import type { Workspace } from '../../api/workspace.ts';
import { counted, formatCount, formatDurationMs } from '../../bytes/quantity.ts';
import { shortId } from '../../object/blob-id.ts';
import { snapshotOfRef } from '../../object/ref-name.ts';
import { refInWords } from '../../repo/ref-changes.ts';
import type { Repository } from '../../repo/repository.ts';
import { tagsById } from '../../repo/snapshot-list.ts';
import type { JournalUndo, UndoPlan } from '../../repo/undo-plan.ts';
import type { DefineCommand } from '../commands.ts';
import type { Face } from '../face.ts';
import { checkoutProgress } from '../progress-text.ts';
import { warnFailures, warnLeftOut } from './checkout.ts';

const REFS_SHOWN_MAX = 5;

interface Options {
  readonly dryRun?: boolean;
}

export const undoCommand: DefineCommand = (action) =>
  new Command('undo')
    .summary('take back what snap did last')
    .description(
      'Takes back the newest operation (commit, tag, prune, checkout) that is not undone; again takes back the one before. Undoing an undo does it again. The folder changes only if a checkout is undone; what you have not committed is saved first.',
    )
    .argument('[op]', 'the id of an operation, as `snap op log` shows it')
    .option('-n, --dry-run', 'say what would be done, do nothing')
    .addHelpText('after', '\nExamples:\n  snap undo\n  snap undo j12\n  snap undo --dry-run')
    .action(
      action('undo', (face, [operation]: [string | undefined], options: Options) =>
        face.withWholeFolder(async (workspace) => {
          const { damagedOperations, previewUndo, undo } = await import('../../api/undo.ts');
          warnDamaged(face, damagedOperations(workspace));
          if (options.dryRun === true) {
            const plan = await previewUndo(workspace, { operation });
            face.data({ schema: 1, type: 'undo', dryRun: true, id: null, ...describe(plan) });
            sayPlan(face, workspace, plan, 'would undo');
            return;
          }
          const progress = face.progress();
          try {
            const result = await undo(workspace, {
              operation,
              ...checkoutProgress(progress),
            });
            progress.stop();
            const { plan, checkout } = result;
            face.data({
              schema: 1,
              type: 'undo',
              dryRun: false,
              id: result.id,
              ...describe(plan),
              saved: checkout?.saved ?? null,
              failures: checkout?.failures ?? [],
              skipped: checkout?.skipped ?? [],
              notMade: checkout?.notMade ?? [],
              milliseconds: Math.round(checkout?.milliseconds ?? 0),
            });
            sayPlan(face, workspace, plan, 'undid');
            if (checkout !== undefined) {
              if (checkout.saved !== undefined)
                face.say(` saved your uncommitted changes as ${face.style('id', shortId(checkout.saved))}`);
              const left = checkout.failures.length + checkout.notMade.length;
              const but = left === 0 ? '' : `, but for ${counted(left, 'path')}`;
              face.say(
                ` the folder is as it was before, ignored files aside${but}${' '.repeat(8)}${formatDurationMs(checkout.milliseconds)}`,
              );
              warnLeftOut(face, checkout);
              warnFailures(face, checkout);
            }
            face.say(face.style('dim', ` \`snap undo ${result.id}\` does it again`));
          } finally {
            progress.stop();
          }
        }),
      ),
    );

/** An operation that cannot be read is passed over: whoever takes back the newest one must know. */
export function warnDamaged(face: Face, damage: readonly string[]): void {
  const [first, ...others] = damage;
  if (first === undefined) return;
  const more = others.length === 0 ? '' : `, and ${counted(others.length, 'more line')}`;
  face.warn(
    `${face.safe(first)}${more}: checkouts are missing here, and cannot be undone; \`snap repair\` keeps the others`,
  );
}

function sayPlan(face: Face, { repository }: Workspace, plan: UndoPlan, verb: string): void {
  const what =
    plan.kind === 'journal'
      ? `${plan.entry.operation}  ${plan.entry.note}`
      : plan.record.operation === 'checkout'
        ? `checkout of ${shortId(plan.record.to)}`
        : `undo of w${plan.record.undoes ?? '?'}`;
  face.say(` ${verb} ${face.style('id', plan.target)}  ${face.safe(what)}`);
  if (plan.kind === 'checkout') {
    face.say(
      ` ${plan.paths === null ? 'the folder' : face.safe(plan.paths.join(' '))} as in ${face.style('id', shortId(plan.revision))}`,
    );
    return;
  }
  const { refs, head } = plan.draft;
  sayKept(face, repository, plan);
  for (const change of refs.slice(0, REFS_SHOWN_MAX)) {
    const name = face.safe(refInWords(change.name));
    const snapshot = snapshotOfRef(change.name);
    if (change.to === null) face.say(snapshot === undefined ? ` ${name} is removed` : ` ${name} is not kept any more`);
    else
      face.say(
        snapshot === undefined ? ` ${name} is at ${face.style('id', shortId(change.to))} again` : ` ${name} is back`,
      );
  }
  if (refs.length > REFS_SHOWN_MAX) face.say(` and ${formatCount(refs.length - REFS_SHOWN_MAX)} more`);
  if (head !== undefined && head !== null)
    face.say(
      ` HEAD ${head.to === null ? 'is before the first snapshot' : `at ${face.style('id', shortId(head.to))}`}; your files stay as they are`,
    );
}

/** What the operation made, and a tag keeps. */
function sayKept(face: Face, repository: Repository, { entry, draft }: JournalUndo): void {
  const going = new Set(draft.refs.map(({ name }) => name));
  for (const { name, to } of entry.refs) {
    const tags =
      to === null || going.has(name) || snapshotOfRef(name) === undefined ? [] : (tagsById(repository).get(to) ?? []);
    if (tags.length > 0)
      face.say(
        ` ${face.safe(refInWords(name))} stays, by the ${tags.length === 1 ? 'tag' : 'tags'} ${tags.map((tag) => face.style('ref', face.safe(tag))).join(', ')}`,
      );
  }
}

function describe(plan: UndoPlan): Record<string, unknown> {
  if (plan.kind === 'checkout')
    return {
      undoes: plan.target,
      operation: plan.record.operation,
      checkout: plan.revision,
      head: plan.head,
      paths: plan.paths,
    };
  return {
    undoes: plan.target,
    operation: plan.entry.operation,
    note: plan.entry.note,
    refs: plan.draft.refs,
    head: plan.draft.head ?? null,
  };
}
