/**
 * Reads packs byte for byte: the hash of each file, every block decoded, every blob hashed, in worker threads. Few packs
 * are in memory at once. A pack with a fault is read a second time before the verdict.
 */
import { loadZstd } from '../compress/zstd.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import { packName } from '../repo/layout.ts';
import type { Repository } from '../repo/repository.ts';
import type { CheckJob, CheckReply } from '../work/check-blocks.ts';
import { checkPack } from '../work/check-blocks.ts';
import type { Workers } from '../work/start-workers.ts';
import type { Faults } from './faults.ts';
import type { Sample } from './sample.ts';
import { shuffled } from './sample.ts';

export interface DataCheck {
  readonly packs: number;
  readonly bytes: number;
  readonly blobs: number;
  /** Packs whose first read was bad and whose second was good. */
  readonly transient: number;
}

export interface DataCheckOptions {
  readonly repository: Repository;
  readonly workers: Workers;
  readonly packs: readonly PackRecord[];
  readonly sample: Sample | undefined;
  /** Hash with the second implementation, here in the main thread. */
  readonly paranoid: boolean;
  readonly faults: Pick<Faults, 'add'>;
  readonly signal: AbortSignal | undefined;
  readonly progress: (bytesDone: number, bytesTotal: number) => void;
}

/** Bytes of packs that are being checked at one time, however many workers there are. */
const IN_FLIGHT_BYTES_MAX = 128 * 1024 * 1024;

export async function checkData(options: DataCheckOptions): Promise<DataCheck> {
  const { workers, signal } = options;
  const chosen = chooser(options);
  const total = chosen.packs.reduce((sum, pack) => sum + pack.size, 0);
  const counts = { packs: 0, bytes: 0, blobs: 0, transient: 0 };
  const running = new Set<Promise<void>>();
  let inFlight = 0;
  let failure: unknown;
  for (const pack of chosen.packs) {
    while (running.size > 0 && (running.size >= workers.capacity || inFlight + pack.size > IN_FLIGHT_BYTES_MAX))
      await Promise.race(running);
    if (failure !== undefined || !chosen.goOn(counts.bytes + inFlight)) break;
    signal?.throwIfAborted();
    inFlight += pack.size;
    const job = checkTwice(options, pack)
      .then(({ reply, wasTransient }) => {
        counts.packs++;
        counts.bytes += pack.size;
        counts.blobs += reply?.blobs ?? 0;
        if (wasTransient) counts.transient++;
        options.progress(counts.bytes, total);
      })
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => {
        inFlight -= pack.size;
        running.delete(job);
      });
    running.add(job);
  }
  while (running.size > 0) await Promise.all(running);
  if (failure !== undefined) throw failure;
  return counts;
}

async function checkTwice(
  options: DataCheckOptions,
  pack: PackRecord,
): Promise<{ reply: CheckReply | undefined; wasTransient: boolean }> {
  const first = await checkOnce(options, pack);
  if (first !== undefined && first.faults.length === 0) return { reply: first, wasTransient: false };
  const second = await checkOnce(options, pack);
  if (second !== undefined && second.faults.length === 0) return { reply: second, wasTransient: true };
  for (const { pack: id, offset, reason, blob } of second?.faults ?? [])
    options.faults.add({
      what: blob === undefined ? 'pack' : 'blob',
      reason,
      pack: id,
      offset,
      ...(blob === undefined ? {} : { blob: { kind: blob.kind, id: blob.id } }),
    });
  return { reply: second, wasTransient: false };
}

/** Undefined for a pack that is not there: the check of the structure says so. */
async function checkOnce(options: DataCheckOptions, pack: PackRecord): Promise<CheckReply | undefined> {
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  try {
    bytes = owned(await options.repository.backend.get(packName(pack.id)));
  } catch (error) {
    if (!hasCode(error, 'io')) throw error;
    return { bytesRead: 0, blobs: 0, faults: [{ pack: pack.id, offset: 0, reason: error.message, blob: undefined }] };
  }
  if (bytes === undefined) return undefined;
  const job: CheckJob = { kind: 'check', pack: pack.id, sha256: pack.sha256, bytes };
  if (options.paranoid) return checkPack(await loadZstd(), job, await portableHash());
  const reply = await options.workers.run(job, [bytes.buffer]);
  if ('faults' in reply) return reply;
  throw new SnapError('internal', 'a worker gave another reply than to a check');
}

/** SHA-256 written in JavaScript: a tenth as fast, and nothing in common with the one that made the ids. */
async function portableHash(): Promise<(bytes: Uint8Array) => string> {
  const [{ sha256 }, { bytesToHex }] = await Promise.all([
    import('@noble/hashes/sha2.js'),
    import('@noble/hashes/utils.js'),
  ]);
  return (bytes) => bytesToHex(sha256(bytes));
}

/** The bytes in a buffer of their own, which can be moved to a worker. */
function owned(bytes: Buffer | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (bytes === undefined) return undefined;
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length) return new Uint8Array(buffer);
  return new Uint8Array(bytes);
}

/** The packs to read, in order, and whether to begin another one. */
function chooser({ repository, packs, sample }: DataCheckOptions): {
  packs: readonly PackRecord[];
  goOn: (bytesBegun: number) => boolean;
} {
  const { environment } = repository;
  if (sample === undefined) return { packs, goOn: () => true };
  const mixed = shuffled(packs, environment.uniqueName());
  if ('share' in sample) return { packs: mixed.slice(0, Math.ceil(mixed.length * sample.share)), goOn: () => true };
  if ('bytes' in sample) return { packs: mixed, goOn: (bytesBegun) => bytesBegun < sample.bytes };
  const until = environment.elapsed() + sample.milliseconds;
  return { packs: mixed, goOn: () => environment.elapsed() < until };
}
