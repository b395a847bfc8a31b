/** Records in bytes: what is written is read again, and what could not be read is not written. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';

test('counts, signed numbers and ids come back', () => {
  const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), hex, (count, signed, id) => {
      const writer = new ByteWriter(1);
      writer.uvarint(count);
      writer.svarint(signed);
      writer.id(id);
      const reader = new ByteReader(writer.finish(), 'record');
      expect([reader.uvarint(), reader.svarint(), reader.id(), reader.remaining]).toEqual([count, signed, id, 0]);
    }),
  );
});

test.each([-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])('%s is no count', (value) => {
  expect(() => new ByteWriter().uvarint(value)).toThrow(RangeError);
});

test.each(['', 'ab', 'g'.repeat(64), 'a'.repeat(63), 'a'.repeat(66)])('"%s" is no id', (text) => {
  expect(() => new ByteWriter().id(text)).toThrow(RangeError);
});
