/** Fuzz targets: every decoder of trees, lists, snapshots, the journal, and what the index keeps. */

import { hash } from 'node:crypto';
import fc from 'fast-check';
import { ByteWriter } from '../../../src/bytes/byte-writer.ts';
import { decodeName } from '../../../src/bytes/names.ts';
import { hasCode } from '../../../src/errors.ts';
import { decodeFolderRecord, encodeFolderRecord, STAT_BYTES } from '../../../src/index/folder-record.ts';
import { decodeLocation, encodeLocation, openValue, sealValue } from '../../../src/index/index-keys.ts';
import type { BlobKind } from '../../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../../src/object/blob-id.ts';
import { decodeChunkList, encodeChunkLists } from '../../../src/object/chunk-list.ts';
import { decodeJournalEntry, encodeJournalEntry } from '../../../src/object/journal-entry.ts';
import { PACK_BYTES_MAX } from '../../../src/object/pack-id.ts';
import { snapshotRef } from '../../../src/object/ref-name.ts';
import { decodeSnapshot, encodeSnapshot } from '../../../src/object/snapshot.ts';
import type { StoreState } from '../../../src/object/store-state.ts';
import { applyEntry, decodeState, EMPTY_STATE, encodeState } from '../../../src/object/store-state.ts';
import { decodeTree, encodeTree, writeName } from '../../../src/object/tree.ts';
import { decodeParts } from '../../../src/object/tree-parts.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../../src/repo/journal.ts';
import { findReferences } from '../../../src/repo/references.ts';
import { blobIds, blobKinds, chunkRefs, folders, journalEntries, nameBytes, packIds, snapshots } from '../arbitrary.ts';
import type { Target } from './engine.ts';
import { DAMAGED, JSON_WORDS } from './words.ts';

/** The references that the fast walker of gc finds are there whenever the strict decoder finds the bytes good. */
function referencesToo(kind: BlobKind, bytes: Buffer): void {
  findReferences(kind, bytes, (_, holder, offset) => {
    if (offset + 32 > holder.length) throw new Error('a reference beyond its end');
  });
}

const trees: Target = {
  name: 'tree',
  seeds: folders.map(encodeTree),
  words: ['..', '.snap', '/', '\0', 'SNAP~1'],
  codes: DAMAGED,
  run: (input) => {
    const entries = decodeTree(input);
    for (const entry of entries)
      if (entry.kind === 1 && 'chunks' in entry.content)
        if (entry.content.chunks.reduce((sum, { length }) => sum + length, 0) !== entry.size)
          throw new Error('a wrong size');
    const again = encodeTree(entries);
    referencesToo(BLOB_KIND.tree, input);
    return again;
  },
};

const treeParts: Target = {
  name: 'tree-parts',
  seeds: fc
    .uniqueArray(fc.tuple(fc.stringMatching(/^[a-f]{1,6}$/), blobIds), {
      minLength: 2,
      maxLength: 9,
      selector: ([name]) => name,
    })
    .map((parts) =>
      encodeParts(parts.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([firstName, tree]) => ({ firstName, tree }))),
    ),
  codes: DAMAGED,
  run: (input) => {
    const parts = decodeParts(input);
    if (parts === undefined) return encodeTree(decodeTree(input));
    referencesToo(BLOB_KIND.tree, input);
    return encodeParts(parts);
  },
};

function encodeParts(parts: readonly { readonly firstName: string; readonly tree: string }[]): Buffer {
  const writer = new ByteWriter();
  writer.u8(1);
  writer.u8(1);
  writer.uvarint(parts.length);
  for (const part of parts) {
    writeName(writer, part.firstName);
    writer.id(part.tree);
  }
  return writer.finish();
}

const chunkLists: Target = {
  name: 'chunk-list',
  seeds: fc
    .array(chunkRefs, { minLength: 1, maxLength: 20 })
    .map((refs) => encodeChunkLists(refs).at(-1)?.bytes ?? Buffer.alloc(0)),
  codes: DAMAGED,
  run: (input) => {
    const { level, refs } = decodeChunkList(input);
    referencesToo(BLOB_KIND.chunkList, input);
    const writer = new ByteWriter();
    writer.u8(1);
    writer.u8(level);
    writer.uvarint(refs.length);
    for (const ref of refs) {
      writer.uvarint(ref.length);
      writer.id(ref.id);
    }
    return writer.finish();
  },
};

/** The walker that gc uses takes more than the strict decoders do, and still must end, and stay in its bounds. */
const references: Target = {
  name: 'references',
  seeds: fc.oneof(trees.seeds, treeParts.seeds, chunkLists.seeds),
  codes: DAMAGED,
  run: (input) => {
    try {
      referencesToo(BLOB_KIND.tree, input);
    } catch (error) {
      if (!hasCode(error, ...DAMAGED)) throw error;
      referencesToo(BLOB_KIND.chunkList, input);
    }
    return undefined;
  },
};

const snapshotRecords: Target = {
  name: 'snapshot',
  seeds: snapshots.map(encodeSnapshot),
  words: JSON_WORDS,
  codes: DAMAGED,
  run: (input) => encodeSnapshot(decodeSnapshot(input)),
};

const entries: Target = {
  name: 'journal-entry',
  seeds: journalEntries.map((entry) => encodeJournalEntry({ ...entry, number: 1, previous: null })),
  words: JSON_WORDS,
  codes: DAMAGED,
  run: (input) => {
    const entry = decodeJournalEntry(input, 1);
    try {
      encodeState(applyEntry(EMPTY_STATE, entry, 'hash'));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'corrupt-data')) throw error;
    }
    return encodeJournalEntry(entry);
  },
};

const states = fc
  .record({
    hash: blobIds,
    packs: fc.uniqueArray(
      fc.record({ id: packIds, size: fc.nat(PACK_BYTES_MAX), sha256: blobIds, blobs: fc.maxSafeNat() }),
      {
        maxLength: 4,
        selector: ({ id }) => id,
      },
    ),
    snapshots: fc.array(blobIds, { maxLength: 4 }),
    number: fc.maxSafeNat(),
  })
  .map(
    ({ hash, packs, snapshots: ids, number }): StoreState => ({
      ...decodeState(encodeState(EMPTY_STATE)),
      number,
      hash,
      refs: new Map(ids.map((id) => [snapshotRef(id), id])),
      packs: new Map(packs.map((pack) => [pack.id, pack])),
      condemned: new Set(packs.slice(1).map(({ id }) => id)),
      grafts: new Map(ids.map((id) => [id, hash])),
    }),
  );

const stateRecords: Target = {
  name: 'state',
  seeds: states.map(encodeState),
  words: JSON_WORDS,
  codes: DAMAGED,
  run: (input) => encodeState(decodeState(input)),
};

const checkpoints: Target = {
  name: 'checkpoint',
  seeds: states.map(encodeCheckpoint),
  words: JSON_WORDS,
  codes: [],
  mend: (input) => {
    const body = input.subarray(65);
    return Buffer.concat([Buffer.from(`${hash('sha256', body, 'hex')}\n`), body]);
  },
  run: (input) => {
    const state = decodeCheckpoint(input);
    return state === undefined ? undefined : encodeCheckpoint(state);
  },
};

const folderRecords: Target = {
  name: 'folder-record',
  seeds: fc
    .record({
      names: fc.array(nameBytes.map(decodeName), { maxLength: 6 }),
      tree: blobIds,
      folderTrees: fc.array(blobIds, { maxLength: 4 }),
      count: fc.nat(),
    })
    .map(({ names, tree, folderTrees, count }) =>
      encodeFolderRecord({
        rulesDigest: '0123456789abcdef',
        tree,
        totals: { files: count, folders: 1, others: 0, bytes: count },
        stats: Buffer.alloc(STAT_BYTES * names.length, 7),
        names: names.join('/'),
        folderTrees,
      }),
    ),
  codes: [],
  run: (input) => {
    const record = decodeFolderRecord(input);
    return record === undefined ? undefined : encodeFolderRecord(record);
  },
};

const KEY = Buffer.from('b-key');
const places = fc
  .record({
    pack: packIds,
    blockOffset: fc.nat(),
    storedLength: fc.nat(),
    rawLength: fc.nat(),
    offset: fc.nat(),
    length: fc.nat(),
    kind: blobKinds,
  })
  .map((location) => encodeLocation(location));

const indexValues: Target = {
  name: 'index-value',
  seeds: places.map((payload) => sealValue(KEY, payload)),
  codes: [],
  mend: (input) => sealValue(KEY, input.subarray(0, Math.max(0, input.length - 4))),
  run: (input) => {
    const payload = openValue(KEY, input);
    const location = payload === undefined ? undefined : decodeLocation(payload);
    return location === undefined ? undefined : sealValue(KEY, encodeLocation(location));
  },
};

export const RECORD_TARGETS: readonly Target[] = [
  trees,
  treeParts,
  chunkLists,
  references,
  snapshotRecords,
  entries,
  stateRecords,
  checkpoints,
  folderRecords,
  indexValues,
];
