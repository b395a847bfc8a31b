import { describe, expect, test } from 'vitest';
import { defaultChunkParams } from '../../src/chunk/chunk-params.ts';
import { decodeStoreConfig, encodeStoreConfig } from '../../src/repo/store-config.ts';
import { tamper } from '../kit/tamper.ts';

const config = { id: '0f'.repeat(16), chunker: defaultChunkParams, packBytes: 1024 };
const bytes = encodeStoreConfig(config);
const changed = (from: string, to: string): Buffer => Buffer.from(bytes.toString().replace(from, to));

test('comes back as it was written', () => {
  expect(decodeStoreConfig(bytes)).toEqual(config);
  for (const packBytes of [1024, 1024 ** 3])
    expect(decodeStoreConfig(encodeStoreConfig({ ...config, packBytes })).packBytes).toBe(packBytes);
});

test('every changed byte is refused, or is another configuration', () => {
  const { refused, other } = tamper(bytes, (damaged) => encodeStoreConfig(decodeStoreConfig(damaged)));
  expect(refused).toBeGreaterThan(other);
});

describe('what is not of format 1', () => {
  test.each([
    ['a format', changed('"format":1', '"format":2')],
    ['a feature', changed('"features":[]', '"features":["encrypted"]')],
    ['a chunker', changed('"gear-1"', '"gear-2"')],
    ['an average of chunks', changed('262144', '262145')],
  ])('%s of a newer program asks for that', (_, newer) => {
    expect(() => decodeStoreConfig(newer)).toThrow(
      expect.objectContaining({ code: 'unsupported-format', hint: expect.stringContaining('newer') }),
    );
  });

  test.each([
    ['a short id', changed('0f0f', '0f')],
    ['an id of capitals', changed('0f0f', '0F0F')],
    ['packs too small', changed('"packBytes":1024', '"packBytes":1023')],
    ['packs too large', changed('"packBytes":1024', `"packBytes":${1024 ** 3 + 1}`)],
    ['another field', changed('"format"', '"extra":1,"format"')],
    ['a missing field', changed('"features":[],', '')],
    ['white space', changed(',', ', ')],
    ['nothing', Buffer.alloc(0)],
  ])('%s is damage, with the file and what to do', (_, damaged) => {
    expect(() => decodeStoreConfig(damaged, '/store/config.json')).toThrow(
      expect.objectContaining({
        code: 'corrupt-data',
        message: expect.stringContaining('/store/config.json'),
        hint: expect.stringContaining('from a copy of the store'),
      }),
    );
  });
});
