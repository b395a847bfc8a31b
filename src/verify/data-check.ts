/**
 * Reads packs byte for byte: the hash of each file, every block decoded, every blob hashed, in worker threads. Few packs
 * are in memory at once. A pack with a fault is read a second time before the verdict.
 */
import { loadZstd } from '../compress/zstd.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { PackRecord } from '../object/journal-entry.ts';
import type { PackId } from '../object/pack-id.ts';
import type { StoreState } from '../object/store-state.ts';
import { readPack } from '../repo/read-pack.ts';
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
  readonly sample: Sample | undefined;
  /** Hash with the second implementation, here in the main thread. */
  readonly paranoid: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: (bytesDone: number, bytesTotal: number) => void;
}

/** Bytes of packs that are being checked at one time, however many workers there are. */
const IN_FLIGHT_BYTES_MAX = 128 * 1024 * 1024;

/** Reads each pack until it was found whole, however often it is called with a state that has it. */
export class BytesCheck {
  readonly #options: DataCheckOptions;
  readonly #whole = new Set<PackId>();
  readonly #counted = new Set<PackId>();
  /** Packs that were not there; the check of the structure says so. */
  readonly #gone = new Set<PackId>();
  readonly #counts = { packs: 0, bytes: 0, blobs: 0, transient: 0 };

  constructor(options: DataCheckOptions) {
    this.#options = options;
  }

  get counts(): DataCheck {
    return { ...this.#counts };
  }

  /** True if a pack of `state` was not there. */
  hasGone(state: StoreState): boolean {
    return [...this.#gone].some((id) => state.packs.has(id));
  }

  /** Reads the packs of `state` that are not known to be whole; of a sample only those that it began with. */
  async check(state: StoreState, faults: Pick<Faults, 'add'>): Promise<void> {
    const { workers, signal, sample } = this.#options;
    const isOpen = ({ id }: PackRecord): boolean =>
      !this.#whole.has(id) && (sample === undefined || this.#counted.size === 0 || this.#counted.has(id));
    const packs = [...state.packs.values()].filter(isOpen);
    const chosen = chooser(this.#options, packs);
    const total = chosen.packs.reduce((sum, pack) => sum + pack.size, this.#counts.bytes);
    const running = new Set<Promise<void>>();
    let inFlight = 0;
    let failure: unknown;
    for (const pack of chosen.packs) {
      while (running.size > 0 && (running.size >= workers.capacity || inFlight + pack.size > IN_FLIGHT_BYTES_MAX))
        await Promise.race(running);
      if (failure !== undefined || !chosen.goOn(this.#counts.bytes + inFlight)) break;
      signal?.throwIfAborted();
      inFlight += pack.size;
      const job = this.#checkTwice(pack, total, faults)
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
  }

  async #checkTwice(pack: PackRecord, total: number, faults: Pick<Faults, 'add'>): Promise<void> {
    const counts = this.#counts;
    let reply = await checkOnce(this.#options, pack);
    if (reply === undefined || reply.faults.length > 0) {
      reply = await checkOnce(this.#options, pack);
      if (reply?.faults.length === 0) counts.transient++;
    }
    if (reply === undefined) this.#gone.add(pack.id);
    else if (reply.faults.length === 0) this.#whole.add(pack.id);
    for (const { pack: id, offset, reason, blob } of reply?.faults ?? [])
      faults.add({
        what: blob === undefined ? 'pack' : 'blob',
        reason,
        pack: id,
        offset,
        ...(blob === undefined ? {} : { blob: { kind: blob.kind, id: blob.id } }),
      });
    if (this.#counted.has(pack.id)) return;
    this.#counted.add(pack.id);
    counts.packs++;
    counts.bytes += pack.size;
    counts.blobs += reply?.blobs ?? 0;
    this.#options.progress(counts.bytes, total);
  }
}

/** Undefined for a pack that is not there: the check of the structure says so. */
async function checkOnce(options: DataCheckOptions, pack: PackRecord): Promise<CheckReply | undefined> {
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  try {
    // A byte more tells that the file is longer, whatever size it has.
    bytes = owned(await readPack(options.repository.backend, pack.id, { offset: 0, length: pack.size + 1 }));
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
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

/** The bytes in a buffer of their own, with at most a byte more, which can be moved to a worker. */
function owned(bytes: Buffer | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (bytes === undefined) return undefined;
  const { buffer, length } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength <= length + 1) return new Uint8Array(buffer, 0, length);
  return new Uint8Array(bytes);
}

/** The packs to read, in order, and whether to begin another one. */
function chooser(
  { repository, sample }: DataCheckOptions,
  packs: readonly PackRecord[],
): {
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
