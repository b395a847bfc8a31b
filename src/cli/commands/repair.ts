/** `snap repair` */
import { Command } from 'commander';
import { counted, formatCount, formatDurationMs, formatSize } from '../../bytes/quantity.ts';
import { blobKindName, shortId } from '../../object/blob-id.ts';
import type { ConfigMend } from '../../repair/mend-config.ts';
import type { JournalMend } from '../../repair/mend-journal.ts';
import type { RepairResult, RepairStep } from '../../repair/repair.ts';
import type { DefineCommand } from '../commands.ts';
import { EXIT } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { placed, sayWhereFrom } from '../pack-advice.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly dropDamaged?: boolean;
}

const STEPS: Readonly<Record<RepairStep, string>> = {
  check: 'checking packs',
  search: 'looking through the folder',
  copy: 'writing what was found',
};
const SOURCES: Readonly<Record<JournalMend['source'], string>> = {
  index: 'what the index of this workspace remembers',
  checkpoint: 'a checkpoint and the entries after it',
  base: 'what a repair that was cut short had found',
  journal: 'the entries that can be read and the packs that are there',
};
const OPERATIONS_SHOWN_MAX = 5;
const PACKS_SHOWN_MAX = 20;
const PATHS_SHOWN_MAX = 20;

export const repairCommand: DefineCommand = (action) =>
  new Command('repair')
    .summary('mend a damaged store')
    .description(
      'Reads every byte of the store and mends what can be mended: what is readable of damaged packs is written anew, what is lost is fetched from the index and from your folder if a file there still has it; the state that a damaged journal leads to is put together from the index, checkpoints, entries and packs. Damaged files are kept in the folder quarantine of the store. A damaged list of checkouts (.snap/operations.jsonl) keeps what is right of it. A store that is whole is not changed. Exit code 20 if something is still damaged afterwards.',
    )
    .option('-n, --dry-run', 'say what would be done, do nothing')
    .option('--drop-damaged', 'write snapshots anew without the files that are lost')
    .addHelpText('after', '\nExamples:\n  snap repair --dry-run\n  snap repair\n  snap repair --drop-damaged')
    .action(
      action('repair', async (face, _args: [], options: Options) => {
        const { repair, repairConfig } = await import('../../api/repair.ts');
        const config = await repairConfig(face.folder, options);
        if (config !== undefined) sayConfig(face, config, options);
        // Nothing else can be looked at without it.
        if (config !== undefined && options.dryRun === true) {
          face.exitCode = EXIT.damaged;
          face.data({
            schema: 1,
            type: 'repair',
            dryRun: true,
            config: { ...config, quarantined: null },
            remains: true,
          });
          return;
        }
        await face.withWorkspace(async (workspace) => {
          const progress = face.progress();
          try {
            const result = await repair(workspace, {
              ...options,
              onProgress: (step, done, total) =>
                progress.update(
                  () => `${STEPS[step]}: ${formatSize(done)}${total === 0 ? '' : ` of ${formatSize(total)}`}`,
                ),
            });
            progress.stop();
            report(face, result, options, config);
          } finally {
            progress.stop();
          }
        });
      }),
    );

function sayConfig(face: Face, { reason, quarantined }: ConfigMend, { dryRun = false }: Options): void {
  face.say(` ${face.style('bad', 'damaged')}  ${face.safe(reason)}`);
  face.say(` ${face.style('good', dryRun ? 'found' : 'mended')}   from the copy that this workspace keeps`);
  if (quarantined !== undefined) face.say(`   the file that was there is ${quarantined}`);
  if (dryRun) face.say(' nothing was changed; the rest of the store can be looked at when this is mended');
}

function report(face: Face, result: RepairResult, options: Options, config: ConfigMend | undefined): void {
  if (result.remains) face.exitCode = EXIT.damaged;
  face.data({
    schema: 1,
    type: 'repair',
    ...result,
    packs: result.packs.map((pack) => ({ ...pack, quarantine: pack.quarantine ?? null })),
    recovered: result.recovered.map((found) => ({
      ...found,
      kind: blobKindName(found.kind),
      place: found.place ?? null,
    })),
    config: config === undefined ? null : { ...config, quarantined: config.quarantined ?? null },
    mend: result.mend === undefined ? null : { ...result.mend, absentHead: result.mend.absentHead ?? null },
    operations:
      result.operations === undefined
        ? null
        : { ...result.operations, secondName: result.operations.secondName ?? null },
    hits: result.hits ?? null,
    entry: result.entry ?? null,
    milliseconds: Math.round(result.milliseconds),
  });
  sayOperations(face, result);
  if (!sayJournal(face, result)) return;
  sayPacks(face, result);
  sayRecovered(face, result);
  const will = result.dryRun ? 'would be ' : '';
  for (const number of result.checkpoints) face.say(` checkpoint ${number} ${will}written anew`);
  if (result.indexBlobs > 0 && !result.dryRun)
    face.say(` index     told of ${counted(result.indexBlobs, 'blob')} that it lacked or misplaced`);
  sayLost(face, result, options);
  sayEnd(face, result, config !== undefined);
}

function sayOperations(face: Face, { operations, dryRun }: RepairResult): void {
  if (operations === undefined) return;
  const { damage, kept, secondName } = operations;
  for (const reason of damage.slice(0, OPERATIONS_SHOWN_MAX))
    face.say(` ${face.style('bad', 'damaged')}  ${face.safe(reason)}`);
  if (damage.length > OPERATIONS_SHOWN_MAX)
    face.say(` and ${formatCount(damage.length - OPERATIONS_SHOWN_MAX)} more lines`);
  face.say(
    `   ${counted(kept, 'record')} of checkouts ${dryRun ? 'would be' : 'are'} left; the others can no longer be undone by \`snap undo\`${secondName === undefined ? '' : `; the file is .snap/${secondName}`}`,
  );
}

/** False if nothing else was looked at. */
function sayJournal(face: Face, { journal, mend, dryRun }: RepairResult): boolean {
  for (const { entry, reason } of journal)
    face.say(` ${face.style('bad', 'damaged')}  ${face.safe(placed(`journal entry ${entry}`, reason))}`);
  if (journal.length > 0 && mend === undefined) {
    face.say(' Nothing was changed. Make these files of journal/ readable, or put them back from a copy of the store,');
    face.say(' then run `snap repair` again.');
    return false;
  }
  if (mend === undefined) return true;
  const what = mend.base === undefined ? 'what is lost' : `the state after entry ${mend.base}`;
  face.say(` ${face.style('good', dryRun ? 'found' : 'mended')}   ${what}, from ${SOURCES[mend.source]}`);
  if (mend.base !== undefined)
    face.say(
      `   a base ${dryRun ? 'would stand' : 'stands'} for the entries up to ${mend.base}; operations in those that are damaged can no longer be undone`,
    );
  for (const name of mend.quarantined) face.say(`   ${dryRun ? 'to be moved to quarantine: ' : ''}${name}`);
  if (mend.packs.length > 0) face.say(`   ${counted(mend.packs.length, 'pack')} that no entry named taken in`);
  for (const id of mend.snapshots) face.say(`   snapshot ${face.style('id', shortId(id))} is in the log again`);
  for (const name of mend.tags) face.say(`   ${face.safe(name)} is there again`);
  if (mend.absentHead !== undefined)
    face.say(
      ` ${face.style('bad', 'lost')}      snapshot ${shortId(mend.absentHead)}, which HEAD was at: no entry and no pack has it`,
    );
  for (const id of mend.absentParents)
    if (id !== mend.absentHead)
      face.say(
        `   snapshot ${shortId(id)}, which came before others, is in no entry and no pack: it was pruned, or is lost`,
      );
  if (!mend.isExact)
    face.say(
      '   What only a lost entry said is not known: tags of it may be missing, what it pruned or untagged may be back.',
    );
  if (dryRun)
    face.say(' If you have a copy of the store, put these files of journal/ back from it instead: that loses nothing.');
  return true;
}

function sayPacks(face: Face, { packs, dropped, dryRun }: RepairResult): void {
  for (const { pack, state, reason, blobs, fate, quarantine } of packs.slice(0, PACKS_SHOWN_MAX)) {
    face.say(` ${face.style('bad', state)}  ${face.safe(placed(`pack ${pack}`, reason))}`);
    if (state === 'damaged')
      face.say(
        `   ${counted(blobs, 'readable blob')} ${dryRun ? 'would go' : 'went'} into new packs${quarantine === undefined ? '' : `; the file is ${quarantine}`}`,
      );
    else if (fate === 'replaced' && dropped.length > 0) face.say('   no longer listed');
    else if (fate === 'replaced')
      face.say(`   nothing that is needed ${dryRun ? 'would be' : 'was'} only in it: no longer listed`);
    else face.say('   still listed, so that a copy that you put back is found');
  }
  if (packs.length > PACKS_SHOWN_MAX) face.say(` and ${formatCount(packs.length - PACKS_SHOWN_MAX)} more packs`);
}

function sayRecovered(face: Face, { recovered, recoveredCount, dryRun }: RepairResult): void {
  const places = new Map<string, number>();
  for (const { from, place } of recovered) {
    const where =
      from === 'index' ? 'the index' : from === 'store' ? `${place} in the store` : (place ?? 'your folder');
    places.set(where, (places.get(where) ?? 0) + 1);
  }
  for (const [where, count] of [...places].slice(0, PATHS_SHOWN_MAX))
    face.say(
      ` ${face.style('good', dryRun ? 'found' : 'fetched')}   ${counted(count, 'lost blob')} from ${face.safe(where)}`,
    );
  const more = recoveredCount - [...places.values()].slice(0, PATHS_SHOWN_MAX).reduce((sum, count) => sum + count, 0);
  if (more > 0) face.say(` and ${formatCount(more)} more`);
}

function sayLost(face: Face, result: RepairResult, options: Options): void {
  const { hits, lostBlobs, dropped, dryRun, formerPacks, packs } = result;
  if (hits === undefined) return;
  face.say(
    ` ${face.style('bad', 'lost')}      ${counted(lostBlobs, 'blob')}: ${hits.isFloor ? 'more than ' : ''}${counted(hits.paths, 'path')} in ${counted(hits.snapshots.length, 'snapshot')}`,
  );
  for (const { path, snapshots } of hits.listed.slice(0, PATHS_SHOWN_MAX))
    face.say(
      `   ${path === '' ? '(all of it)' : face.safe(path)}   in ${face.style('id', snapshots.slice(0, 3).map(shortId).join(', '))}${snapshots.length > 3 ? ` and ${formatCount(snapshots.length - 3)} more` : ''}`,
    );
  if (hits.paths > PATHS_SHOWN_MAX) face.say(`   and ${formatCount(hits.paths - PATHS_SHOWN_MAX)} more paths`);
  for (const { from, to, paths } of dropped)
    face.say(
      to === null
        ? ` ${face.style('id', shortId(from))} ${dryRun ? 'would go' : 'is gone'}: nothing of it can be read`
        : ` ${face.style('id', shortId(from))} ${dryRun ? 'would become' : 'is now'} ${face.style('id', shortId(to))}, without ${counted(paths.length, 'path')}`,
    );
  if (options.dropDamaged === true) return;
  const now = new Set(packs.map(({ pack }) => pack));
  sayWhereFrom(
    face,
    formerPacks.filter(({ pack }) => !now.has(pack)),
    packs.length,
  );
  face.say(' `snap repair --drop-damaged` writes these snapshots anew without what is lost.');
}

function sayEnd(face: Face, result: RepairResult, hadConfig: boolean): void {
  const time = formatDurationMs(result.milliseconds);
  const { packs, checkpoints, recoveredCount, entry, dryRun, remains, dropped } = result;
  const isWhole =
    !hadConfig &&
    result.operations === undefined &&
    result.journal.length === 0 &&
    packs.length === 0 &&
    checkpoints.length === 0 &&
    recoveredCount === 0 &&
    result.lostBlobs === 0;
  if (isWhole) face.say(` ${face.style('good', 'no damage')}, nothing ${dryRun ? 'to do' : 'changed'}        ${time}`);
  else if (dryRun) face.say(` nothing was changed        ${time}`);
  else
    face.say(
      ` ${remains ? face.style('bad', 'not all could be mended') : face.style('good', 'mended')}${entry === undefined ? '' : face.style('dim', ` (j${entry})`)}        ${time}`,
    );
  if (!dryRun && dropped.length > 0 && entry !== undefined)
    face.say(face.style('dim', ` \`snap undo j${entry}\` brings the damaged snapshots back`));
}
