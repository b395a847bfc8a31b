/** `snap status` */
import { Command } from 'commander';
import type { Status } from '../../api/history.ts';
import { formatCount } from '../../bytes/quantity.ts';
import { formatAge, formatWhen } from '../../bytes/time-expression.ts';
import type { Change } from '../../history/change.ts';
import { shortId } from '../../object/blob-id.ts';
import { ChangeTotals, changeLine, sideBySide } from '../change-lines.ts';
import type { DefineCommand } from '../commands.ts';
import { changeJson, changeLetter, changePaths, changeStyle, changeWord, holdsText } from '../describe-entry.ts';
import { EXIT } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { jsonText } from '../json.ts';
import { leftOut, noteLeftOut } from '../left-out.ts';
import { gatherLines } from '../output.ts';
import { scanText } from '../progress-text.ts';
import { cutEnd } from '../text-width.ts';

interface Options {
  readonly short?: boolean;
  readonly ignored?: boolean;
  readonly all?: boolean;
}

/** A person reads no more than that; `--short` and `--json` are for programs and have everything. */
const LINES_OF_A_KIND_MAX = 200;

export const statusCommand: DefineCommand = (action) =>
  new Command('status')
    .summary('show what changed since the last snapshot')
    .description(
      'Shows what a commit would store: what is new, modified, renamed or deleted since HEAD. Folders that are new or gone as a whole are one line, and of many files of one kind the first are shown (--all shows everything).',
    )
    .option(
      '-s, --short',
      'a letter and a path a line: A new, M modified (or its mode), R renamed, D deleted, ? unreadable, T another kind, m only times or owner',
    )
    .option('--all', 'every file, however many, and what is in new and deleted folders (as --verbose)')
    .option('--ignored', 'also what is left out, and by which rule of which file')
    .addHelpText('after', '\nExamples:\n  snap status\n  snap status --short\n  snap status --ignored')
    .action(
      action('status', (face, _args: [], options: Options) =>
        face.withWorkspace(async (workspace) => {
          const { status } = await import('../../api/history.ts');
          const progress = face.progress();
          try {
            const result = await status(workspace, {
              ignored: options.ignored,
              foldFolders: !showsAll(face, options),
              onProgress: (scan) => progress.update(() => scanText(scan)),
            });
            progress.stop();
            await report(face, result, options);
          } finally {
            progress.stop();
          }
        }),
      ),
    );

async function report(face: Face, status: Status, options: Options): Promise<void> {
  const isShort = options.short === true;
  const lines = gatherLines();
  const totals = new ChangeTotals();
  const fold = new Fold(showsAll(face, options) ? Number.POSITIVE_INFINITY : LINES_OF_A_KIND_MAX);
  if (status.skipped.length > 0) face.exitCode = EXIT.partial;
  if (!isShort && !face.json) await lines.add(face.fitted(headLine(face, status)));
  for await (const change of status.changes) {
    totals.add(change);
    if (face.json) await lines.add(jsonText(changeJson(change)));
    else if (isShort)
      await lines.add(`${face.style(changeStyle(change), changeLetter(change))} ${changePaths(face, change)}`);
    else if (fold.shows(change)) await lines.add(changeLine(face, change));
  }
  for (const line of fold.lines()) await lines.add(face.style('dim', line));
  for (const { path, rule } of status.ignored) {
    if (face.json) await lines.add(jsonText({ schema: 1, type: 'ignored', path, rule: rule ?? null }));
    else if (isShort) await lines.add(`${face.style('dim', '!')} ${face.safe(path)}`);
    else
      await lines.add(
        face.style('dim', ` ${'ignored'.padEnd(10)}  ${face.safe(path)}  (${face.safePattern(rule ?? '')})`),
      );
  }
  const { head, skipped, unsteady } = status;
  if (face.json)
    await lines.add(
      jsonText({
        schema: 1,
        type: 'status',
        head: head?.id ?? null,
        headTime: head?.snapshot.time ?? null,
        clean: !status.differs,
        counts: totals.counts,
        totals: status.totals,
        skipped,
        unsteady,
      }),
    );
  else if (!isShort)
    await lines.add(
      status.differs ? sideBySide(face, ` ${totals.text()}`, holdsText(status.totals)) : ' nothing changed',
    );
  await lines.flush();
  face.warnAll(skipped.map((left) => leftOut(face, left)));
  noteLeftOut(face, skipped);
}

function showsAll(face: Face, options: Options): boolean {
  return face.verbose || options.all === true;
}

/** Leaves out changes of a kind once there were too many of it, and says how many. */
class Fold {
  readonly #max: number;
  readonly #seen = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  shows(change: Change): boolean {
    const word = changeWord(change);
    const seen = (this.#seen.get(word) ?? 0) + 1;
    this.#seen.set(word, seen);
    return seen <= this.#max;
  }

  lines(): string[] {
    return [...this.#seen].flatMap(([word, seen]) =>
      seen > this.#max ? [` ${word.padEnd(10)}  … and ${formatCount(seen - this.#max)} more (--all shows them)`] : [],
    );
  }
}

function headLine(face: Face, { head }: Status): string {
  if (head === undefined) return ' no snapshot yet (snap commit -m "first" makes one)';
  const made = new Date(head.snapshot.time);
  const start = ` last snapshot ${shortId(head.id)}, ${formatAge(face.now.getTime() - made.getTime())} ago (${formatWhen(made, face.now)})`;
  const title = face.safe(head.snapshot.message.split('\n')[0] ?? '');
  const room = face.width - start.length - 2;
  return ` last snapshot ${face.style('id', shortId(head.id))}${start.slice(' last snapshot '.length + shortId(head.id).length)}${title === '' || room < 8 ? '' : `  ${cutEnd(title, room)}`}`;
}
