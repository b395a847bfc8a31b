/** Copies into new packs what no whole pack has: every blob of damaged packs, and needed ones of the other sources. */
import { SnapError } from '../errors.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { BlobWriter } from '../repo/blob-writer.ts';
import { Gathering } from '../repo/gathering.ts';
import type { Analysis } from './analysis.ts';
import { TableReader } from './source.ts';

/** Throws `io` if a block cannot be read any more; nothing relies on what was written until then. */
export async function copyBlobs(
  analysis: Analysis,
  writer: BlobWriter,
  options: {
    readonly signal: AbortSignal | undefined;
    readonly progress: (step: 'copy', bytesDone: number, bytesTotal: number) => void;
  },
): Promise<void> {
  const { table } = analysis;
  const reader = new TableReader(analysis.view, table);
  const spoilt = new Map(analysis.sources.map((source) => [source.id, source.spoilt]));
  const total = analysis.sources.reduce((sum, source) => sum + source.size, 0);
  const data = new Gathering(writer);
  const metadata = new Gathering(writer);
  let done = 0;
  for (const [blockNumber, block] of table.blocks.entries()) {
    const pack = table.packs[block.pack];
    const spoiltHere = pack === undefined ? undefined : spoilt.get(pack.id);
    if (pack === undefined || spoiltHere === undefined) continue;
    options.signal?.throwIfAborted();
    const all = analysis.bad.has(pack.id);
    const wanted: number[] = [];
    for (let number = block.first; number < block.first + block.count; number++) {
      if (!table.isChosen(number)) continue;
      if (analysis.marked.has(number) || (all && !spoiltHere.has(table.idOf(number)))) wanted.push(number);
    }
    if (wanted.length > 0) await writer.ready();
    const raw = wanted.length > 0 ? await reader.block(blockNumber) : '';
    for (const number of wanted) {
      const bytes = typeof raw === 'string' ? raw : reader.bytesOf(number, raw);
      if (typeof bytes === 'string')
        throw new SnapError('io', `what was read of pack ${pack.id} cannot be read again: ${bytes}`, {
          hint: 'The disk is failing: copy the store to another one first. Nothing was removed.',
          context: { pack: pack.id },
        });
      const kind = table.kindOf(number);
      if (writer.claim(kind, table.idOf(number)))
        (kind === BLOB_KIND.data ? data : metadata).add(kind, table.idOf(number), bytes);
    }
    done += block.storedLength;
    options.progress('copy', done, total);
  }
  data.flush();
  metadata.flush();
}
