/** Danger: a remembered folder that passes for another one, so that a commit leaves out what changed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeName } from '../../src/bytes/names.ts';
import type { FolderRecord } from '../../src/index/folder-record.ts';
import { decodeFolderRecord, encodeFolderRecord, STAT_BYTES } from '../../src/index/folder-record.ts';
import { blobIds, nameBytes } from '../kit/arbitrary.ts';

const counts = fc.maxSafeNat();
const names = nameBytes.map(decodeName).filter((name) => !name.includes('/'));
const records: fc.Arbitrary<FolderRecord> = fc
  .array(fc.tuple(names, fc.uint8Array({ minLength: STAT_BYTES, maxLength: STAT_BYTES })), { maxLength: 6 })
  .chain((entries) =>
    fc.record({
      rulesDigest: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      tree: blobIds,
      totals: fc.record({ files: counts, folders: counts, others: counts, bytes: counts }),
      stats: fc.constant(Buffer.concat(entries.map(([, stat]) => stat))),
      names: fc.constant(entries.map(([name]) => name).join('/')),
      folderTrees: fc.array(blobIds, { maxLength: 4 }),
    }),
  );

test('records decode to what was encoded', () => {
  fc.assert(
    fc.property(records, (record) => void expect(decodeFolderRecord(encodeFolderRecord(record))).toEqual(record)),
    { numRuns: 300 },
  );
});

test('any bytes are no record, or encode to themselves', () => {
  fc.assert(
    fc.property(records, fc.nat(), fc.nat({ max: 7 }), (record, at, bit) => {
      const bytes = encodeFolderRecord(record);
      const position = at % bytes.length;
      bytes[position] = (bytes[position] ?? 0) ^ (1 << bit);
      const decoded = decodeFolderRecord(bytes);
      return decoded === undefined || encodeFolderRecord(decoded).equals(bytes);
    }),
    { numRuns: 2000 },
  );
});

test('another version is no record', () => {
  fc.assert(
    fc.property(records, (record) => {
      const bytes = encodeFolderRecord(record);
      bytes[0] = 2;
      return decodeFolderRecord(bytes) === undefined;
    }),
  );
});
