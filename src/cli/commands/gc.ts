/** `snap gc` */
import { Command, InvalidArgumentError } from 'commander';
import type { GcSettings } from '../../api/gc.ts';
import type { Workspace } from '../../api/workspace.ts';
import {
  DURATION_FORMS,
  formatCount,
  formatDuration,
  formatDurationMs,
  formatSize,
  parseDuration,
  parseSize,
} from '../../bytes/quantity.ts';
import { parseTiers } from '../../bytes/tiers.ts';
import { formatWhen } from '../../bytes/time-expression.ts';
import type { GcPreview, GcResult } from '../../gc/gc.ts';
import type { RetentionRules } from '../../gc/rules.ts';
import { graceOfSettings, rulesAreEmpty } from '../../gc/rules.ts';
import { shortId } from '../../object/blob-id.ts';
import type { DefineCommand } from '../commands.ts';
import { EXIT } from '../exit-code.ts';
import type { Face } from '../face.ts';

/** Also holds the rules, under their names in RetentionRules. */
interface Options extends RetentionRules {
  readonly dryRun?: boolean;
  readonly now?: boolean;
  readonly all?: boolean;
}

/** Of a line before its reasons. */
const VERDICT_COLUMNS = 37;

type Verdict = GcPreview['verdicts'][number];

const PERIODS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
const STEPS = {
  prune: 'deciding what to keep',
  mark: 'finding what is needed',
  rewrite: 'moving what is needed',
  sweep: 'removing packs',
} as const;

export const gcCommand: DefineCommand = (action) => {
  const command = new Command('gc')
    .summary('prune old snapshots by rules, free what nothing needs')
    .description(
      'Prunes snapshots by the rules of config.toml, or by those given here instead, then frees the space of what no snapshot needs. Without any rule nothing is pruned. HEAD and tagged snapshots always stay.',
    )
    .option('--keep-last <n>', 'keep the newest n snapshots', parseCount);
  for (const period of PERIODS)
    command.option(`--keep-${period} <n>`, `keep the newest of each of the last n ${PLURALS[period]}`, parseCount);
  command.option('--keep-within <time>', 'keep all within this time before the newest, such as 30d', parseDuration);
  for (const period of PERIODS)
    command.option(
      `--keep-within-${period} <time>`,
      `keep one ${SINGULARS[period]} within this time before the newest`,
      parseDuration,
    );
  return command
    .option(
      '--keep-tag <name>',
      'keep snapshots with this tag, any number of times',
      (value: string, before: string[] = []) => [...before, value],
    )
    .option('--max-snapshots <n>', 'keep at most n snapshots', parseCount)
    .option('--keep-under <size>', 'prune oldest first until the store fits, such as 20GB', parseSize)
    .option('--tiers <tiers>', "by age before the newest, such as '7d:all,30d:day,90d:week'", parseTiers)
    .option('-n, --dry-run', 'say what would be kept, pruned and freed; change nothing')
    .option('--now', 'leave out every grace period (that of undone commits too), and do not wait for readers')
    .option('--all', 'judge the snapshots of every workspace of the store')
    .addHelpText(
      'after',
      `\nTimes are written as ${DURATION_FORMS}.\n\nExamples:\n  snap gc --keep-last 5 --keep-daily 7 --dry-run\n  snap gc --tiers '7d:all,30d:day,90d:week'\n  snap gc --keep-under 20GB\n  snap gc`,
    )
    .action(action('gc', (face, _args: [], options: Options) => run(face, options)));
};

const PLURALS = { hourly: 'hours', daily: 'days', weekly: 'weeks', monthly: 'months', yearly: 'years' } as const;
const SINGULARS = {
  hourly: 'an hour',
  daily: 'a day',
  weekly: 'a week',
  monthly: 'a month',
  yearly: 'a year',
} as const;

function run(face: Face, options: Options): Promise<void> {
  return face.withWorkspace(async (workspace) => {
    const { gc, previewGc } = await import('../../api/gc.ts');
    const { dryRun, now, all, ...given } = options;
    const progress = face.progress();
    const settings: GcSettings = {
      rules: rulesAreEmpty(given) ? undefined : given,
      now,
      all,
      onProgress: (step, done, total) =>
        progress.update(() =>
          total > 0 ? `${STEPS[step]}: ${formatSize(done)} of ${formatSize(total)}` : STEPS[step],
        ),
    };
    try {
      if (dryRun === true) {
        const preview = await previewGc(workspace, settings);
        progress.stop();
        sayPreview(face, preview, whyFinal(workspace, now));
      } else {
        const result = await gc(workspace, settings);
        progress.stop();
        sayResult(face, result, whyFinal(workspace, now));
      }
    } finally {
      progress.stop();
    }
  });
}

/** Why what is pruned and freed cannot come back; undefined: it waits for `gc.grace`. */
function whyFinal({ repository }: Workspace, now: boolean | undefined): string | undefined {
  const grace = formatDuration(graceOfSettings(repository.settings));
  if (grace === '0') return 'with gc.grace 7d, `snap undo` could bring it back';
  return now === true ? `--now leaves out gc.grace, which is ${grace}` : undefined;
}

function sayPreview(face: Face, preview: GcPreview, final: string | undefined): void {
  const pruned = preview.verdicts.filter(({ keep }) => !keep).length;
  const { storeBytes, freeBytes, heldBytes, overBytes, grace } = preview;
  const graceText = grace === undefined ? undefined : formatDuration(grace);
  face.data({
    schema: 1,
    type: 'gc',
    dryRun: true,
    snapshots: preview.verdicts.map(describe),
    pruned,
    storeBytes,
    freeBytes,
    heldBytes,
    overBytes,
    grace: graceText ?? null,
  });
  sayVerdicts(face, preview.verdicts);
  if (pruned > 0)
    face.say(
      ` would prune ${formatCount(pruned)} of ${formatCount(preview.verdicts.length)} snapshots, which alone hold ${formatSize(heldBytes)}`,
    );
  face.say(` would free ${formatSize(freeBytes)} of ${formatSize(storeBytes)}`);
  if (final !== undefined && pruned > 0)
    face.say(face.style('dim', ` what it prunes and frees cannot be undone; ${final}`));
  if (graceText !== undefined && freeBytes > 0)
    face.say(` not at once: gc.grace is ${graceText}; a gc after that frees it, or --now does`);
  sayOver(face, overBytes);
}

function sayResult(face: Face, result: GcResult, final: string | undefined): void {
  const { storeBytes, freedBytes, condemnedPacks, rewrittenPacks, sweptPacks, leftovers, waiting, damaged, overBytes } =
    result;
  face.data({
    schema: 1,
    type: 'gc',
    dryRun: false,
    snapshots: result.verdicts.map(describe),
    pruned: result.pruned.length,
    storeBytes,
    freedBytes,
    condemnedPacks,
    rewrittenPacks,
    sweptPacks,
    leftovers,
    waiting: waiting ?? null,
    damaged,
    overBytes,
    milliseconds: Math.round(result.milliseconds),
  });
  sayVerdicts(face, result.pruned);
  if (result.verdicts.length > 0)
    face.say(
      ` kept ${formatCount(result.verdicts.length - result.pruned.length)} of ${formatCount(result.verdicts.length)} snapshots`,
    );
  face.say(
    ` freed ${formatSize(freedBytes)} of ${formatSize(storeBytes)}        ${formatDurationMs(result.milliseconds)}`,
  );
  if (waiting !== undefined) sayWaiting(face, waiting);
  if (final !== undefined && result.pruned.length > 0 && sweptPacks > 0)
    face.say(face.style('dim', ` what was pruned cannot come back; ${final}`));
  sayOver(face, overBytes);
  for (const { pack, reason } of damaged) face.warn(`pack ${pack} was left as it is: ${face.safe(reason)}`);
  if (damaged.length > 0) {
    face.note('Run `snap verify` to see what is affected.');
    face.exitCode = EXIT.damaged;
  }
}

function sayWaiting(face: Face, waiting: NonNullable<GcResult['waiting']>): void {
  const { reason, packs, bytes, sessions, elsewhere } = waiting;
  const what = `${formatSize(bytes)} more in ${formatCount(packs)} packs wait`;
  const why =
    reason === 'grace'
      ? 'gc.grace has not passed'
      : `${sessions.map((who) => face.safe(who)).join(', ')} may be reading`;
  if (elsewhere.length === 0) {
    const then = reason === 'grace' ? 'a gc after that' : 'the next gc';
    face.say(` ${what}: ${why}; ${then} frees them, or --now does`);
    return;
  }
  const hosts = [...new Set(elsewhere.map(({ host }) => face.safe(host)))].join(', ');
  face.say(
    ` ${what}: ${why}; whether that still runs on ${hosts} cannot be told from here, and --now does not wait for it`,
  );
  for (const { path } of elsewhere) face.note(`If nothing runs there any more, remove ${face.safe(path)}.`);
}

/** Aligned: keep or prune, id, when, why; on a narrow terminal the reasons come below. */
function sayVerdicts(face: Face, verdicts: readonly Verdict[]): void {
  for (const { id, snapshot, keep, reasons } of verdicts) {
    const verdict = keep ? face.style('good', 'keep ') : face.style('bad', 'prune');
    const when = formatWhen(new Date(snapshot.time), face.now).padEnd(15);
    const why = face.safe(reasons.join(', '));
    const fits = VERDICT_COLUMNS + why.length <= face.width;
    face.say(` ${verdict}  ${face.style('id', shortId(id))}  ${fits ? `${when}  ${why}` : when.trimEnd()}`);
    if (!fits) face.say(`   ${why}`);
  }
}

function sayOver(face: Face, overBytes: number): void {
  if (overBytes > 0) {
    face.warn(
      `what must stay (HEAD, tags, the newest, autosaves of the last 7 days) is ${formatSize(overBytes)} over --keep-under, which no pruning reaches: nothing was pruned for it`,
    );
    if (face.exitCode === EXIT.done) face.exitCode = EXIT.partial;
  }
}

function describe({ id, snapshot, tags, isHead, keep, reasons }: Verdict): Record<string, unknown> {
  return {
    id,
    time: snapshot.time,
    message: snapshot.message,
    workspace: snapshot.workspace,
    tags,
    isHead,
    keep,
    reasons,
  };
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
