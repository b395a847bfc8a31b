/** Arbitrary values of every stored kind, for property tests. Names come as bytes, so that none is left out. */
import fc from 'fast-check';
import { compareNames, decodeName } from '../../src/bytes/names.ts';
import type { BlobId, BlobKind } from '../../src/object/blob-id.ts';
import { entryNameFault } from '../../src/object/entry-name.ts';
import type { JournalEntry } from '../../src/object/journal-entry.ts';
import type { PackId } from '../../src/object/pack-id.ts';
import type { RefName } from '../../src/object/ref-name.ts';
import { snapshotOfRef } from '../../src/object/ref-name.ts';
import type { Snapshot } from '../../src/object/snapshot.ts';
import type { ChunkRef, TreeEntry } from '../../src/object/tree-entry.ts';
import type { PackFooter } from '../../src/pack/pack-format.ts';
import { BLOCK_HEADER_BYTES, PACK_HEADER_BYTES } from '../../src/pack/pack-format.ts';

const hex = (digits: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: digits / 2, maxLength: digits / 2 }).map((bytes) => Buffer.from(bytes).toString('hex'));
export const blobIds = hex(64).map((id) => id as BlobId);
export const packIds = hex(32).map((id) => id as PackId);
export const blobKinds = fc.constantFrom<BlobKind>(1, 2, 3, 4);
const counts = fc.maxSafeNat();
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
/** Any text a string can hold, half of them with odd characters, also halves of surrogate pairs. */
export const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);

/** Bytes that are ASCII, UTF-8, almost UTF-8, or nothing of the kind. */
export const nameBytes = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20 }).map((text) => Buffer.from(text)),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 10 }).map((text) => Buffer.from(text)),
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  fc
    .array(
      fc.constantFrom(
        0x61,
        0xc3,
        0xa9,
        0xe2,
        0x82,
        0xac,
        0xed,
        0xa0,
        0x80,
        0xf0,
        0x9d,
        0x92,
        0xb3,
        0xef,
        0xbf,
        0xbd,
        0xff,
      ),
      { minLength: 1, maxLength: 12 },
    )
    .map((bytes) => Buffer.from(bytes)),
);
const entryNames = nameBytes.map(decodeName).filter((name) => entryNameFault(name) === undefined);

export const chunkRefs: fc.Arbitrary<ChunkRef> = fc.record({
  id: blobIds,
  length: fc.integer({ min: 1, max: 2 ** 21 }),
});

const base = {
  name: entryNames,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  mtime: i64,
  uid: fc.integer({ min: 0, max: 0xffffffff }),
  gid: fc.integer({ min: 0, max: 0xffffffff }),
};
const fileFlags = { linkKey: fc.option(hex(16), { nil: undefined }), sparse: fc.boolean(), unsteady: fc.boolean() };
const treeEntries: fc.Arbitrary<TreeEntry> = fc.oneof(
  fc
    .record({ kind: fc.constant(1 as const), ...base, ...fileFlags, chunks: fc.array(chunkRefs, { maxLength: 8 }) })
    .map(({ chunks, ...entry }) => ({
      ...entry,
      size: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      content: { chunks },
    })),
  fc.record({
    kind: fc.constant(1 as const),
    ...base,
    ...fileFlags,
    size: counts,
    content: fc.record({ list: blobIds }),
  }),
  fc.record({ kind: fc.constant(2 as const), ...base, tree: blobIds }),
  fc.record({ kind: fc.constant(3 as const), ...base, target: nameBytes.map(decodeName) }),
  fc.record({
    kind: fc.constantFrom(4 as const, 5 as const, 6 as const, 7 as const),
    ...base,
    major: counts,
    minor: counts,
  }),
);

/** The entries of a folder: sorted, no name twice. */
export const folders = fc
  .uniqueArray(treeEntries, { selector: (entry) => entry.name, maxLength: 12 })
  .map((entries) => entries.toSorted((a, b) => compareNames(a.name, b.name)));

const times = fc
  .tuple(
    fc.date({ min: new Date('1970-01-02'), max: new Date('9000-01-01'), noInvalidDate: true }),
    fc.integer({ min: -14 * 60, max: 14 * 60 }),
  )
  .map(([date, minutes]) => {
    const size = Math.abs(minutes);
    return `${date.toISOString().slice(0, -1)}${minutes < 0 ? '-' : '+'}${String(Math.floor(size / 60)).padStart(2, '0')}:${String(size % 60).padStart(2, '0')}`;
  });
const textMaps = fc.dictionary(
  fc.oneof(texts, fc.constantFrom('__proto__', 'constructor', 'toString', '1', '0')),
  texts,
  { maxKeys: 4, noNullPrototype: false },
);

export const snapshots: fc.Arbitrary<Snapshot> = fc.record({
  tree: blobIds,
  parent: fc.option(blobIds),
  time: times,
  message: texts,
  origin: fc.constantFrom('commit' as const, 'autosave' as const),
  host: texts,
  user: texts,
  workspace: fc.record({ id: hex(32), name: texts }),
  folder: fc.record({ mode: counts, uid: counts, gid: counts, mtime: i64.map(String) }),
  totals: fc.record({ files: counts, folders: counts, others: counts, bytes: counts }),
  changes: fc.record({ added: counts, changed: counts, removed: counts, newBytes: counts, storedBytes: counts }),
  skipped: fc.array(fc.record({ path: nameBytes.map(decodeName), reason: texts }), { maxLength: 3 }),
  unsteady: fc.array(nameBytes.map(decodeName), { maxLength: 3 }),
  git: fc.option(fc.record({ commit: texts, branch: fc.option(texts) })),
  meta: textMaps,
  program: texts,
});

const refNames = fc.oneof(
  blobIds.map((id) => `snapshots/${id}` as RefName),
  fc.constantFrom('v1.0', 'release/2026', 'é', '日本', 'a@b', 'x=1').map((tag) => `tags/${tag}` as RefName),
);

/** The ref of a snapshot points to that snapshot. */
function ofItself<T extends { name: RefName; from: BlobId | null; to: BlobId | null }>(change: T): T {
  const own = snapshotOfRef(change.name);
  if (own === undefined) return change;
  return { ...change, from: change.from && own, to: change.to && own };
}

export const journalEntries: fc.Arbitrary<JournalEntry> = fc.record({
  number: fc.integer({ min: 1, max: 999_999_999_999 }),
  previous: fc.option(hex(64)),
  operation: fc.constantFrom(
    'init' as const,
    'commit' as const,
    'tag' as const,
    'prune' as const,
    'condemn' as const,
    'sweep' as const,
    'repair' as const,
    'undo' as const,
  ),
  note: texts,
  writer: hex(32),
  time: times,
  host: texts,
  user: texts,
  workspace: fc.option(hex(32)),
  head: fc.option(fc.record({ from: fc.option(blobIds), to: fc.option(blobIds) })),
  refs: fc.array(fc.record({ name: refNames, from: fc.option(blobIds), to: fc.option(blobIds) }).map(ofItself), {
    maxLength: 3,
  }),
  grafts: fc.dictionary(blobIds, blobIds, { maxKeys: 3, noNullPrototype: false }),
  packs: fc.array(fc.record({ id: packIds, size: fc.nat(0xffff_ffff), sha256: hex(64), blobs: counts }), {
    maxLength: 3,
  }),
  condemned: fc.array(packIds, { maxLength: 3 }),
  swept: fc.array(packIds, { maxLength: 3 }),
  undoes: fc.option(counts),
  program: texts,
});

/** Footers whose blocks follow each other, with the size of the pack up to the footer. */
export const footers: fc.Arbitrary<{ footer: PackFooter; blockBytes: number }> = fc
  .array(
    fc.record({
      codec: fc.integer({ min: 0, max: 255 }),
      storedLength: fc.integer({ min: 0, max: 2 ** 22 }),
      directoryLength: fc.integer({ min: 1, max: 1000 }),
      blobs: fc.array(fc.record({ kind: blobKinds, id: blobIds, length: fc.integer({ min: 0, max: 2 ** 21 }) }), {
        maxLength: 5,
      }),
    }),
    { maxLength: 5 },
  )
  .map((parts) => {
    let offset = PACK_HEADER_BYTES;
    const blocks = parts.map((part) => {
      const block = {
        ...part,
        offset,
        rawLength: part.blobs.reduce((sum, blob) => sum + blob.length, part.directoryLength),
      };
      offset += BLOCK_HEADER_BYTES + part.storedLength;
      return block;
    });
    return { footer: { blocks }, blockBytes: offset };
  });
