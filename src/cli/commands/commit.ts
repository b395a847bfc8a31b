/** `snap commit` */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { CommitSettings } from '../../api/commit.ts';
import type { Workspace } from '../../api/workspace.ts';
import { counted, formatCount, formatDurationMs, formatSize } from '../../bytes/quantity.ts';
import type { CommitResult } from '../../commit/commit.ts';
import type { CompressionLevel } from '../../compress/block-codec.ts';
import { shortId } from '../../object/blob-id.ts';
import type { LiveTree } from '../../scan/live-tree.ts';
import type { DefineCommand } from '../commands.ts';
import { holdsText } from '../describe-entry.ts';
import { EXIT } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { leftOut, noteLeftOut } from '../left-out.ts';
import { scanText } from '../progress-text.ts';

interface Options {
  readonly message?: string;
  readonly dryRun?: boolean;
  readonly allowEmpty?: boolean;
  readonly rescan?: boolean;
  readonly tag?: string;
  readonly meta?: Record<string, string>;
  readonly exclude?: string[];
  readonly compression?: CompressionLevel;
}

type Scanned = CommitResult['scan'];

export const commitCommand: DefineCommand = (action) =>
  new Command('commit')
    .summary('make a snapshot')
    .description(
      'Makes a snapshot of the workspace: all of it, or with patterns only those paths (the rest as in HEAD).',
    )
    .argument('[patterns...]', 'paths, folders or globs (quoted)')
    .option(
      '-m, --message <text>',
      'what this snapshot is; more of them are its paragraphs',
      (value: string, before?: string) => (before === undefined ? value : `${before}\n\n${value}`),
    )
    .option('-n, --dry-run', 'say what would be stored, store nothing')
    .option('--allow-empty', 'make a snapshot even if nothing changed')
    .option('--rescan', 'read every file again, whatever its size and time say')
    .option('--tag <name>', 'tag the new snapshot, which is made even if nothing changed')
    .option('--meta <key=value>', 'free metadata, any number of times', collectMeta)
    .option(
      '--exclude <pattern>',
      'leave this out too, any number of times',
      (value: string, before: string[] = []) => [...before, value],
    )
    .addOption(
      new Option('--compression <level>', 'how hard to compress new data').choices(['off', 'fast', 'balanced', 'max']),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  snap commit -m "before deploy"\n  snap commit -m "epoch 12" --tag v1.2.0 --meta loss=0.031\n  snap commit \'models/**/*.pt\'',
    )
    .action(
      action('commit', (face, [patterns]: [string[]], options: Options) =>
        face.withWholeFolder((workspace) => commitOrPreview(face, workspace, patterns, options)),
      ),
    );

async function commitOrPreview(face: Face, workspace: Workspace, patterns: string[], options: Options): Promise<void> {
  const { commit, previewCommit } = await import('../../api/commit.ts');
  const progress = face.progress();
  const settings: CommitSettings = {
    ...options,
    patterns: patterns.map((pattern) => face.workspacePath(workspace, pattern)),
    onProgress: (at) => progress.update(() => `${scanText(at)}, new ${formatSize(at.newBytes)}`),
  };
  try {
    if (options.dryRun === true) {
      const live = await previewCommit(workspace, settings);
      progress.stop();
      reportPreview(face, live);
    } else {
      const result = await commit(workspace, settings);
      progress.stop();
      reportCommit(face, result, options);
    }
  } finally {
    progress.stop();
  }
}

function reportPreview(face: Face, { scan, newBytes }: LiveTree): void {
  const { counts, totals, bytesRead, skipped, unsteady } = scan;
  face.data({
    schema: 1,
    type: 'commit',
    dryRun: true,
    id: null,
    counts,
    totals,
    bytesRead,
    newBytes,
    skipped,
    unsteady,
  });
  face.say(scan.differs ? ' would commit (dry run: nothing was stored)' : ' nothing to commit');
  sayCounts(face, scan);
  face.say(` read ${formatSize(bytesRead)} · new ${formatSize(newBytes)}`);
  reportProblems(face, scan);
}

function reportCommit(face: Face, result: CommitResult, options: Options): void {
  const { id, scan, newBytes, storedBytes, missingPacks } = result;
  const { counts, totals, bytesRead, skipped, unsteady, silent } = scan;
  const milliseconds = Math.round(result.milliseconds);
  face.data({
    schema: 1,
    type: 'commit',
    dryRun: false,
    id: id ?? null,
    counts,
    totals,
    bytesRead,
    newBytes,
    storedBytes,
    skipped,
    unsteady,
    silent,
    missingPacks,
    milliseconds,
  });
  const took = `        ${formatDurationMs(milliseconds)}`;
  if (id === undefined) {
    face.say(` nothing to commit        ${holdsText(totals)}${took}`);
  } else {
    const title = (options.message ?? '').split('\n')[0] ?? '';
    const tag = options.tag === undefined ? '' : `  ${face.style('ref', options.tag)}`;
    face.say(
      ` ${face.style('id', shortId(id))}  ${title === '' ? face.style('dim', '(no message)') : face.safe(title)}${tag}`,
    );
    sayCounts(face, scan);
    face.say(` read ${formatSize(bytesRead)} · new ${formatSize(newBytes)} · stored ${formatSize(storedBytes)}${took}`);
  }
  if (missingPacks.length > 0) {
    face.warn(
      `${counted(missingPacks.length, 'pack')} of the store ${missingPacks.length === 1 ? 'is' : 'are'} missing; what this folder has of it is stored again`,
    );
    face.note('Run `snap verify` to see which older snapshots are affected.');
  }
  reportProblems(face, scan);
}

function sayCounts(face: Face, scan: Pick<Scanned, 'counts' | 'totals' | 'differs'>): void {
  const { added, changed, removed } = scan.counts;
  const onlyFolders = scan.differs && added + changed + removed === 0 ? ' · only folders differ' : '';
  face.say(
    ` ${formatCount(added)} added · ${formatCount(changed)} changed · ${formatCount(removed)} removed${onlyFolders}${' '.repeat(8)}${holdsText(scan.totals)}`,
  );
}

function reportProblems(face: Face, scan: Pick<Scanned, 'skipped' | 'unsteady' | 'silent'>): void {
  face.warnAll(scan.silent.map((path) => `${face.safe(path)} has other bytes under the same size and time`));
  face.warnAll(scan.unsteady.map((path) => `${face.safe(path)} changed while it was read; it is stored as last read`));
  face.warnAll(scan.skipped.map((skipped) => `${leftOut(face, skipped)} and is not in the snapshot`));
  noteLeftOut(face, scan.skipped);
  if (scan.skipped.length > 0) face.exitCode = EXIT.partial;
}

function collectMeta(value: string, before: Record<string, string> = {}): Record<string, string> {
  const split = value.indexOf('=');
  if (split <= 0) throw new InvalidArgumentError('It must be key=value.');
  return { ...before, [value.slice(0, split)]: value.slice(split + 1) };
}
