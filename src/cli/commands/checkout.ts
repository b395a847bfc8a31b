/** `snap checkout` */
import { Command, Option } from 'commander';
import type { CheckoutSettings } from '../../api/checkout.ts';
import { counted, formatCount, formatDurationMs, formatSize } from '../../bytes/quantity.ts';
import { shortId } from '../../object/blob-id.ts';
import type { DefineCommand } from '../commands.ts';
import { EXIT } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { leftOut } from '../left-out.ts';
import { checkoutProgress } from '../progress-text.ts';

interface Options {
  readonly to?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly delete: boolean;
  readonly overwrite?: 'always' | 'if-newer' | 'never';
}

type Outcome = Awaited<ReturnType<typeof import('../../api/checkout.ts').checkout>>;
const SHOWN_MAX = 20;

export const checkoutCommand: DefineCommand = (action) =>
  new Command('checkout')
    .summary('restore a snapshot')
    .description(
      'Makes the workspace look like a snapshot, writing only what differs. Changes not committed yet are committed first.',
    )
    .argument('<rev>', 'the snapshot: an id, a tag, HEAD~1, or (but for what a checkout saved) latest, @{2 days ago}')
    .argument('[paths...]', 'only these files and folders; HEAD then stays where it is')
    .option('--to <dir>', 'write into another folder instead')
    .option('--force', 'with --to: write into a folder that is not empty')
    .option('-n, --dry-run', 'say what would be done, change nothing')
    .option('--no-delete', 'leave files that the snapshot does not have')
    .addOption(new Option('--overwrite <policy>', 'files that exist').choices(['always', 'if-newer', 'never']))
    .addHelpText(
      'after',
      '\nExamples:\n  snap checkout v1.2.0\n  snap checkout HEAD~1 src/config.json\n  snap checkout latest --to /tmp/restored',
    )
    .action(
      action('checkout', (face, [revision, paths]: [string, string[]], options: Options) =>
        face.withWholeFolder(async (workspace) => {
          const api = await import('../../api/checkout.ts');
          const progress = face.progress();
          const settings: CheckoutSettings = {
            revision,
            paths: paths.map((path) => face.workspacePath(workspace, path)),
            to: options.to === undefined ? undefined : face.place(options.to, 'the folder of --to'),
            force: options.force,
            keepExtra: !options.delete,
            overwrite: options.overwrite,
            ...checkoutProgress(progress),
          };
          try {
            if (options.dryRun === true) {
              const plan = await api.planCheckout(workspace, settings);
              progress.stop();
              sayPlan(face, plan, settings);
              return;
            }
            const result = await api.checkout(workspace, settings);
            progress.stop();
            report(face, result, settings.to);
          } finally {
            progress.stop();
          }
        }),
      ),
    );

type Plan = Awaited<ReturnType<typeof import('../../api/checkout.ts').planCheckout>>;

function sayPlan(face: Face, plan: Plan, { to, force }: CheckoutSettings): void {
  const steps = plan.steps.filter((step) => step.kind !== 'folder');
  face.data({
    schema: 1,
    type: 'checkout',
    dryRun: true,
    id: plan.id,
    writes: plan.writes,
    bytes: plan.bytes,
    removals: plan.removals,
    blocked: plan.blocked,
    uncommitted: plan.uncommitted,
    steps: steps.map(({ kind, path }) => ({ kind, path })),
  });
  for (const { kind, path } of face.verbose ? steps : steps.slice(0, SHOWN_MAX))
    face.say(` ${kind.padEnd(13)} ${face.safe(path)}`);
  if (!face.verbose && steps.length > SHOWN_MAX)
    face.say(` … and ${formatCount(steps.length - SHOWN_MAX)} more (--verbose shows all)`);
  if (to !== undefined) {
    face.say(` would write ${counted(plan.writes, 'file')} (${formatSize(plan.bytes)}) into ${face.safe(to)}`);
    const fate = force === true ? 'replaced' : 'left as it is';
    face.warnAll(
      plan.blocked.map(({ path }) => `${face.safe(path)} is there with other contents, and would be ${fate}`),
    );
    return;
  }
  face.say(
    ` would write ${counted(plan.writes, 'file')} (${formatSize(plan.bytes)}) and remove ${formatCount(plan.removals)}${plan.uncommitted ? ', after committing what is not committed' : ''}`,
  );
  if (plan.blocked.length === 0) return;
  face.warnAll(plan.blocked.map(({ path, reason }) => `${face.safe(path)} is in the way: ${face.safe(reason)}`));
  face.say(' as it is now, the checkout would be refused and change nothing; move away what is in the way first');
  face.exitCode = EXIT.failed;
}

/** Of a whole checkout in place: all that was not touched, and not meant to be. */
function alreadyRight(result: Outcome, isElsewhere: boolean): number | undefined {
  const { entries, written, kept, notMade, failures } = result;
  if (isElsewhere) return result.alreadyRight;
  if (entries === undefined) return undefined;
  const failed = failures.filter(({ onlyMetadata }) => onlyMetadata !== true).length;
  return Math.max(0, entries - written - kept.length - notMade.length - failed);
}

/** What could not be saved before, and what is missing now and shows as deleted. */
export function warnLeftOut(face: Face, { notMade, skipped }: Pick<Outcome, 'notMade' | 'skipped'>): void {
  face.warnAll(skipped.map((left) => `${leftOut(face, left)} and is not in what was saved before`));
  face.warnAll(
    notMade.map(
      (path) => `${face.safe(path)} is a socket, a device or a FIFO that cannot be made here; it is missing now`,
    ),
  );
  if (notMade.length + skipped.length > 0) face.exitCode = EXIT.partial;
}

function report(face: Face, result: Outcome, to: string | undefined): void {
  const right = alreadyRight(result, to !== undefined);
  face.data({
    schema: 1,
    type: 'checkout',
    dryRun: false,
    id: result.id,
    saved: result.saved ?? null,
    skipped: result.skipped,
    written: result.written,
    bytesWritten: result.bytesWritten,
    removed: result.removed,
    kept: result.kept,
    notMade: result.notMade,
    failures: result.failures,
    milliseconds: Math.round(result.milliseconds),
  });
  if (result.saved !== undefined)
    face.say(
      ` saved your uncommitted changes as ${face.style('id', shortId(result.saved))} (snap undo brings them back)`,
    );
  const where = to === undefined ? '' : ` into ${face.safe(to)}`;
  face.say(
    ` ${counted(result.written - result.links, 'file')}${result.links === 0 ? '' : ` and ${counted(result.links, 'link')}`} written${where} (${formatSize(result.bytesWritten)}), ${formatCount(result.removed)} removed${right === undefined ? '' : `, ${formatCount(right)} already right`}        ${formatDurationMs(result.milliseconds)}`,
  );
  warnLeftOut(face, result);
  for (const path of face.verbose ? result.kept : result.kept.slice(0, SHOWN_MAX))
    face.note(` kept ${face.safe(path)}`);
  if (!face.verbose && result.kept.length > SHOWN_MAX)
    face.note(` … and ${formatCount(result.kept.length - SHOWN_MAX)} more (--verbose shows all)`);
  warnFailures(face, result);
}

/** What failed, each by its path; the exit code tells whether anything was done all the same. */
export function warnFailures(face: Face, { failures, changed }: Pick<Outcome, 'failures' | 'changed'>): void {
  face.warnAll(
    failures.map(
      ({ path, code, reason }) =>
        `${face.safe(path)}${code === 'corrupt-data' ? ' was not written' : ''}: ${face.safe(reason)}`,
    ),
  );
  if (failures.some(({ code }) => code === 'corrupt-data')) {
    face.note('The store is damaged: `snap verify` says where, and `snap repair` mends what can be mended.');
    face.exitCode = EXIT.damaged;
  } else if (failures.length > 0)
    face.exitCode = changed || failures.every(({ onlyMetadata }) => onlyMetadata) ? EXIT.partial : EXIT.failed;
}
