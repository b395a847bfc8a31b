/** `snap diff` */
import { Command, InvalidArgumentError } from 'commander';
import type { Diff } from '../../api/diff.ts';
import { decodeName } from '../../bytes/names.ts';
import { formatCount } from '../../bytes/quantity.ts';
import type { Change } from '../../history/change.ts';
import { ChangeTotals, changeLine, sideBySide, sizeText } from '../change-lines.ts';
import type { DefineCommand } from '../commands.ts';
import { changeJson, changeLetter, changeNote, changePaths, shownPath } from '../describe-entry.ts';
import type { Face } from '../face.ts';
import { jsonText } from '../json.ts';
import { leftOut } from '../left-out.ts';
import type { Lines } from '../output.ts';
import { gatherLines } from '../output.ts';
import { fitsPatch, patchLines, patchParts, terminalText } from '../patch-lines.ts';
import { scanText } from '../progress-text.ts';
import { readRevisions, splitRange } from '../revision-arguments.ts';
import { cutStart, padEnd } from '../text-width.ts';

interface Options {
  readonly stat?: boolean;
  readonly nameOnly?: boolean;
  readonly nameStatus?: boolean;
  readonly patch?: boolean;
  readonly exitCode?: boolean;
  readonly renames: boolean;
  readonly text?: boolean;
  readonly unified?: number;
  readonly touched?: boolean;
}

const DIFFERENT = 1;
const STAT_PATH_WIDTH_MAX = 60;

export const diffCommand: DefineCommand = (action) => {
  const command = new Command('diff');
  return command
    .summary('show what differs')
    .description(
      'Compares two snapshots, or one (default: HEAD) with the folder as it is now. Text files are compared line by line, as a patch that `git apply` takes; of binary files and very large ones a comment says that they differ (--text compares text of any size). Renames are found without reading contents.',
    )
    .argument(
      '[args...]',
      'up to two snapshots (a b, or a..b), then paths or globs; "--" before paths that look like snapshots',
    )
    .option('--stat', 'a line for each file, with sizes or counts of lines, and a sum')
    .option('--name-only', 'only names')
    .option('--name-status', 'names with letters: A added, M modified, R renamed, D deleted, T another kind')
    .option('-p, --patch', 'with --json: add the patch of each text file')
    .option('-U, --unified <lines>', 'lines of context', parseCount)
    .option('--text', 'compare text files of any size (default: up to 8 MiB)')
    .option('--no-renames', 'show renames as deleted and added')
    .option('--touched', 'also files with only other times or another owner')
    .option('--exit-code', 'exit with 1 if anything differs (--quiet does so too, and prints nothing)')
    .addHelpText(
      'after',
      "\nExamples:\n  snap diff\n  snap diff HEAD~1 HEAD --stat\n  snap diff v1.2.0..latest -- src 'models/**/*.json'",
    )
    .action(
      action('diff', (face, [args]: [string[]], options: Options) =>
        face.withWorkspace(async (workspace) => {
          const { diff } = await import('../../api/diff.ts');
          const { revisions, paths } = await readRevisions(face, workspace, command, args, 2);
          const [first, second] = revisions;
          const range = first === undefined ? undefined : splitRange(first);
          const progress = face.progress();
          try {
            const result = await diff(workspace, {
              from: range?.from ?? first,
              to: range?.to ?? second,
              paths,
              renames: options.renames,
              metadata: options.touched,
              onProgress: (scan) => progress.update(() => scanText(scan)),
            });
            try {
              progress.stop();
              await showDiff(face, result, options);
            } finally {
              result.close();
            }
          } finally {
            progress.stop();
          }
        }),
      ),
    );
};

async function showDiff(face: Face, diff: Diff, options: Options): Promise<void> {
  face.warnAll(diff.skipped.map((skipped) => `${leftOut(face, skipped)}; what HEAD has of it counts as removed`));
  const lines = gatherLines();
  const totals = new ChangeTotals();
  const textOptions = {
    ...(options.unified === undefined ? {} : { contextLines: options.unified }),
    ...(options.text === true ? { bytesMax: Number.MAX_SAFE_INTEGER } : {}),
  };
  const counted = { added: 0, removed: 0 };
  const isSilent = face.quiet && !face.json;
  for await (const change of diff.changes) {
    totals.add(change);
    // Known, whether anybody reads on or not.
    if (options.exitCode === true || isSilent) face.exitCode = DIFFERENT;
    if (isSilent) return;
    if (face.json) {
      const patch = options.patch === true ? await patchOf(diff, change, textOptions) : undefined;
      await lines.add(jsonText({ ...changeJson(change), ...(patch === undefined ? {} : { patch }) }));
    } else if (options.nameOnly === true) await lines.add(shownPath(face, change.path, change.after ?? change.before));
    else if (options.nameStatus === true)
      await lines.add(`${face.style('dim', changeLetter(change, true))}\t${changePaths(face, change, '\t')}`);
    else if (options.stat === true) await addStat(face, lines, change, await diff.text(change, textOptions), counted);
    else for (const part of patchParts(change)) await addPatch(face, lines, part, await diff.text(part, textOptions));
  }
  if (face.json)
    await lines.add(
      jsonText({
        schema: 1,
        type: 'diff',
        from: diff.from ?? null,
        to: diff.to ?? null,
        counts: totals.counts,
        skipped: diff.skipped,
      }),
    );
  else if (options.stat === true && totals.lines > 0) {
    const inLines =
      counted.added + counted.removed === 0
        ? ''
        : `+${formatCount(counted.added)} -${formatCount(counted.removed)} lines`;
    await lines.add(sideBySide(face, ` ${totals.text()}`, inLines).trimEnd());
  }
  await lines.flush();
}

async function addPatch(
  face: Face,
  lines: Lines,
  change: Change,
  text: Awaited<ReturnType<Diff['text']>>,
): Promise<void> {
  if (!fitsPatch(change)) {
    await lines.add(changeLine(face, change).trimStart());
    return;
  }
  if (process.stdout.isTTY !== true) {
    // The bytes of the file as they are: gathered text is written as UTF-8, so these go by themselves.
    await lines.flush();
    const { writeOut } = await import('../output.ts');
    await writeOut(Buffer.from(patchText(change, text), 'latin1'));
    return;
  }
  for (const line of patchLines(change, text)) {
    const shown = terminalText(Buffer.from(line.text, 'latin1'));
    await lines.add(line.style === undefined ? shown : face.style(line.style, shown));
  }
}

/** The patch of a change as text for JSON; bytes that are not UTF-8 are escaped as in names. Empty if it has none. */
async function patchOf(diff: Diff, change: Change, options: Parameters<Diff['text']>[1]): Promise<string> {
  if (!fitsPatch(change)) return '';
  let patch = '';
  for (const part of patchParts(change))
    patch += decodeName(Buffer.from(patchText(part, await diff.text(part, options)), 'latin1'));
  return patch;
}

function patchText(change: Change, text: Awaited<ReturnType<Diff['text']>>): string {
  let patch = '';
  for (const line of patchLines(change, text)) patch += `${line.text}\n`;
  return patch;
}

async function addStat(
  face: Face,
  lines: Lines,
  change: Change,
  text: Awaited<ReturnType<Diff['text']>>,
  counted: { added: number; removed: number },
): Promise<void> {
  const width = Math.max(10, Math.min(STAT_PATH_WIDTH_MAX, face.width - 24));
  const path = padEnd(cutStart(changePaths(face, change), width), width);
  const note = changeNote(change);
  let amount = sizeText(change);
  if (change.kind === 'mode' && note !== '') amount = note;
  if (text?.kind === 'text') {
    counted.added += text.added;
    counted.removed += text.removed;
    amount = [
      text.added > 0 ? face.style('good', `+${formatCount(text.added)}`) : '',
      text.removed > 0 ? face.style('bad', `-${formatCount(text.removed)}`) : '',
    ]
      .filter((part) => part !== '')
      .join(' ');
  }
  await lines.add(` ${changeLetter(change)} ${path}  ${amount}`);
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
