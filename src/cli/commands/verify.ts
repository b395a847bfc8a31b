/** `snap verify` */
import { Command } from 'commander';
import { counted, formatCount, formatDurationMs, formatSize } from '../../bytes/quantity.ts';
import { blobKindName, shortId } from '../../object/blob-id.ts';
import type { VerifyResult } from '../../verify/verify.ts';
import type { DefineCommand } from '../commands.ts';
import { EXIT } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { placed, sayWhereFrom } from '../pack-advice.ts';

interface Options {
  readonly data?: boolean;
  readonly sample?: string;
  readonly paranoid?: boolean;
}

type Fault = VerifyResult['faults'][number];
type Hits = NonNullable<VerifyResult['hits']>;

const FAULTS_SHOWN_MAX = 20;
const MISSING_SHOWN_MAX = 3;
const PATHS_SHOWN_MAX = 20;
const SNAPSHOTS_SHOWN_MAX = 3;

export const verifyCommand: DefineCommand = (action) =>
  new Command('verify')
    .summary('check the store')
    .description(
      'Checks that everything snapshots need is there and readable: the journal, every pack, tree and list; with --data every byte. Changes nothing. Exit code 20 if there is damage.',
    )
    .option('--data', 'read and hash every byte')
    .option('--sample <part>', 'read the bytes of a random part: 10%, 2GB, or 5m (minutes)')
    .option('--paranoid', 'read every byte and hash it with a second implementation; slow')
    .addHelpText('after', '\nExamples:\n  snap verify\n  snap verify --data\n  snap verify --sample 10%')
    .action(
      action('verify', (face, _args: [], options: Options) =>
        face.withWorkspace(async (workspace) => {
          const { verify } = await import('../../api/verify.ts');
          const progress = face.progress();
          try {
            const result = await verify(workspace, {
              ...options,
              onProgress: (done, total) => progress.update(() => `read ${formatSize(done)} of ${formatSize(total)}`),
            });
            progress.stop();
            report(face, result);
          } finally {
            progress.stop();
          }
        }),
      ),
    );

function report(face: Face, result: VerifyResult): void {
  const { journal, structure, data, faults, faultCount, hits } = result;
  if (faultCount > 0) face.exitCode = EXIT.damaged;
  face.data({
    schema: 1,
    type: 'verify',
    damaged: faultCount > 0,
    journal,
    structure,
    data: data ?? null,
    faults: faults.map(describe),
    faultCount,
    missingBlobs: result.missingBlobs,
    hits: hits ?? null,
    formerPacks: result.formerPacks,
    milliseconds: Math.round(result.milliseconds),
  });
  const { needed, index } = structure;
  face.say(
    ` journal  ${formatCount(journal.entries)} entries${journal.checkpoints === 0 ? '' : `, ${formatCount(journal.checkpoints)} checkpoints`}${journal.replaced === 0 ? '' : `; those up to ${journal.replaced} are replaced by a base of a repair`}`,
  );
  face.say(
    ` packs    ${formatCount(structure.packs)}, ${formatSize(structure.packBytes)}, ${formatCount(structure.blobs)} blobs`,
  );
  face.say(
    ` needed   ${formatCount(needed.snapshots)} snapshots, ${formatCount(needed.trees)} trees, ${formatCount(needed.lists + needed.data)} blobs of files`,
  );
  if (index !== undefined && index.missing > 0)
    face.say(
      ` index    lacks ${formatCount(index.missing)} of ${formatCount(index.blobs)} blobs: nothing is lost, \`snap reindex\` adds them`,
    );
  if (data !== undefined)
    face.say(
      ` data     ${formatSize(data.bytes)} in ${formatCount(data.packs)} packs read, ${formatCount(data.blobs)} blobs hashed${data.transient === 0 ? '' : `; ${formatCount(data.transient)} packs were bad at first and good when read again: look at the disk`}`,
    );
  const time = formatDurationMs(result.milliseconds);
  if (faultCount === 0) {
    face.say(
      ` ${face.style('good', 'no damage')}${data === undefined ? face.style('dim', ' in the structure; --data reads every byte') : ''}        ${time}`,
    );
    return;
  }
  face.say(
    ` ${face.style('bad', `${formatCount(faultCount)} ${faultCount === 1 ? 'fault' : 'faults'}`)}        ${time}`,
  );
  if (face.quiet) face.warn(`${counted(faultCount, 'fault')} in the store: \`snap verify\` names them`);
  const placed = faults.filter((fault) => !isMissing(fault));
  const missing = faults.filter(isMissing);
  for (const fault of placed.slice(0, FAULTS_SHOWN_MAX))
    face.say(` ${face.style('bad', 'damaged')}  ${face.safe(inWords(fault))}`);
  const unseen = faultCount - result.missingBlobs - Math.min(placed.length, FAULTS_SHOWN_MAX);
  if (unseen > 0) face.say(` and ${formatCount(unseen)} more`);
  for (const fault of missing.slice(0, MISSING_SHOWN_MAX))
    face.say(` ${face.style('bad', 'missing')}  ${face.safe(inWords(fault))}`);
  if (result.missingBlobs > MISSING_SHOWN_MAX)
    face.say(` and ${formatCount(result.missingBlobs - MISSING_SHOWN_MAX)} more that are missing`);
  if (hits !== undefined) sayHits(face, hits);
  sayAdvice(face, result);
}

function sayHits(face: Face, hits: Hits): void {
  if (hits.paths === 0) {
    face.say(' no snapshot needs what is damaged');
    return;
  }
  face.say(
    ` hit: ${hits.isFloor ? 'more than ' : ''}${formatCount(hits.paths)} ${hits.paths === 1 ? 'path' : 'paths'} in ${formatCount(hits.snapshots.length)} ${hits.snapshots.length === 1 ? 'snapshot' : 'snapshots'}`,
  );
  for (const { path, snapshots } of hits.listed.slice(0, PATHS_SHOWN_MAX)) {
    const shown = snapshots
      .slice(0, SNAPSHOTS_SHOWN_MAX)
      .map((id) => face.style('id', shortId(id)))
      .join(', ');
    const more =
      snapshots.length > SNAPSHOTS_SHOWN_MAX ? ` and ${formatCount(snapshots.length - SNAPSHOTS_SHOWN_MAX)} more` : '';
    face.say(`   ${path === '' ? '(all of it)' : face.safe(path)}   in ${shown}${more}`);
  }
  if (hits.paths > PATHS_SHOWN_MAX) face.say(`   and ${formatCount(hits.paths - PATHS_SHOWN_MAX)} more paths`);
}

function sayAdvice(face: Face, { faults, hits, formerPacks, missingBlobs }: VerifyResult): void {
  const packs = faults.some(({ what }) => what === 'pack' || what === 'blob');
  const named = new Set(faults.flatMap(({ pack }) => pack ?? [])).size;
  if (missingBlobs > 0 && (named === 0 || formerPacks.length > 0)) sayWhereFrom(face, formerPacks, named);
  else if (packs)
    face.say(
      ' If you have another copy of the store, put the packs named above back from it: the same name has the same bytes.',
    );
  if (hits !== undefined && hits.paths > 0)
    face.say(' All other paths and snapshots can be checked out. Keep files that you still have in the folder safe.');
  if (faults.some(({ what }) => what === 'index'))
    face.say(' Run `snap reindex`: the index is wrong, and is built again from the packs.');
  if (packs || faults.some(({ what }) => what === 'checkpoint'))
    face.say(' `snap repair --dry-run` says what can be mended, and `snap repair` mends it.');
  if (faults.some(({ what }) => what === 'workspace'))
    face.say(
      ' Only the undo of checkouts of this workspace depends on that file; `snap repair` keeps what is right of it.',
    );
  if (faults.some(({ what }) => what === 'journal'))
    face.say(
      ' Put the journal entries named above back if you have a copy of the store; else `snap repair --dry-run` says what is known without them.',
    );
}

/** Needed, and in no readable pack. */
function isMissing(fault: Fault): boolean {
  return fault.what === 'blob' && fault.pack === undefined;
}

function inWords(fault: Fault): string {
  const place =
    fault.pack === undefined
      ? ''
      : `pack ${fault.pack}${fault.offset === undefined || (fault.what === 'pack' && fault.offset === 0) ? '' : `, block at ${fault.offset}`}`;
  switch (fault.what) {
    case 'journal':
      return placed(`journal entry ${fault.entry}`, fault.reason);
    case 'checkpoint':
      return placed(`checkpoint ${fault.entry}`, fault.reason);
    case 'pack':
      return placed(place, fault.reason);
    case 'index':
      return `index: ${fault.reason} (${place})`;
    case 'workspace':
      return fault.reason;
    case 'blob':
      return `${fault.blob === undefined ? 'blob' : `${blobKindName(fault.blob.kind)} ${shortId(fault.blob.id)}`}${place === '' ? '' : ` in ${place}`}: ${fault.reason}`;
  }
}

function describe(fault: Fault): Record<string, unknown> {
  const { blob, ...rest } = fault;
  return blob === undefined ? rest : { ...rest, kind: blobKindName(blob.kind), id: blob.id };
}
