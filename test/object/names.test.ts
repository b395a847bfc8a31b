/** Danger: ids and names that are taken though no writer of this format writes them. */
import { describe, expect, test } from 'vitest';
import { blobIdOf, blobKindName, isBlobId, parseBlobId, parseBlobKind, shortId } from '../../src/object/blob-id.ts';
import { parsePackId } from '../../src/object/pack-id.ts';
import type { RefName } from '../../src/object/ref-name.ts';
import { parseRefName, snapshotOfRef, snapshotRef, tagOfRef, tagRef } from '../../src/object/ref-name.ts';

const id = blobIdOf(Buffer.from('x'));
const long = (text: string): string => text.padEnd(200, '!');

describe('ids', () => {
  test('a full id is one', () => {
    expect(parseBlobId(id, 'record')).toBe(id);
    expect(isBlobId(id)).toBe(true);
    expect(shortId(id)).toBe(id.slice(0, 10));
  });

  test.each(['', id.slice(1), `${id}0`, `0${id}`, `${id}\n`, id.toUpperCase(), `g${id.slice(1)}`])('not %j', (text) => {
    expect(isBlobId(text)).toBe(false);
    expect(() => parseBlobId(text, 'record')).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
  });

  const pack = '0123456789abcdef'.repeat(2);
  test('a pack id has half as many digits', () => expect(parsePackId(pack, 'record')).toBe(pack));

  test.each(['', pack.slice(1), `${pack}0`, `0${pack}`, pack.toUpperCase(), id])('no pack id: %j', (text) => {
    expect(() => parsePackId(text, 'record')).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
  });

  test('a message shows no more than the start of what is no id', () => {
    const shown = /: "x!{79}" is not/;
    expect(() => parseBlobId(long('x'), 'record')).toThrow(shown);
    expect(() => parsePackId(long('x'), 'record')).toThrow(shown);
    expect(() => parseRefName(long('x'), 'record')).toThrow(shown);
  });
});

describe('kinds', () => {
  test('four are known', () => {
    expect([1, 2, 3, 4].map((kind) => blobKindName(parseBlobKind(kind, 'pack')))).toEqual([
      'data',
      'chunk list',
      'tree',
      'snapshot',
    ]);
  });

  test.each([0, 5, 255])('%i is of a later version', (kind) => {
    expect(() => parseBlobKind(kind, 'pack')).toThrow(
      expect.objectContaining({ code: 'unsupported-format', hint: expect.stringContaining('update') }),
    );
  });
});

describe('refs', () => {
  test('of a snapshot', () => {
    expect(snapshotRef(id)).toBe(`snapshots/${id}`);
    expect(snapshotOfRef(parseRefName(`snapshots/${id}`, 'record'))).toBe(id);
    expect(tagOfRef(snapshotRef(id))).toBeUndefined();
    expect(snapshotOfRef(`snapshots/${id}0` as RefName)).toBeUndefined();
    expect(snapshotOfRef(tagRef('v1'))).toBeUndefined();
    expect(snapshotOfRef(`otherfolder${id}` as RefName)).toBeUndefined();
    expect(snapshotOfRef(`snapshotz/${id}` as RefName)).toBeUndefined();
  });

  test.each([
    'v1.0',
    'release/2026-07',
    'é',
    '日本',
    'a@b',
    'x=1',
    'a+b_c',
    'HEAD2',
    'head',
    'latest/x',
    '...',
    'a..b',
    'abc',
    'beefs',
    `${'0'.repeat(65)}`,
    'x'.repeat(200),
    'é'.repeat(100),
    'deadbeef/x',
    'xbeef',
  ])('the tag %s', (name) => {
    expect(tagOfRef(tagRef(name))).toBe(name);
    expect(parseRefName(`tags/${name}`, 'record')).toBe(`tags/${name}`);
  });

  test.each([
    '',
    'a b',
    ' a',
    'a ',
    'a\n',
    'a~1',
    'a:b',
    'a*',
    '-a',
    '/a',
    'a/',
    'a//b',
    './a',
    'a/.',
    'a/../b',
    '..',
    '.',
    'HEAD',
    'latest',
    '@',
    'beef',
    '0'.repeat(64),
    'x'.repeat(201),
    'é'.repeat(101),
    'e\u0301',
  ])('no tag: %j', (name) => {
    expect(() => tagRef(name)).toThrow(
      expect.objectContaining({ code: 'usage', hint: expect.stringContaining('v1.2.0') }),
    );
    expect(() => parseRefName(`tags/${name}`, 'record')).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
  });

  test.each(['', 'v1', 'tags', 'heads/main', 'snapshots/', `snapshots/${id.slice(1)}`, id])('no ref: %j', (text) => {
    expect(() => parseRefName(text, 'record')).toThrow(expect.objectContaining({ code: 'corrupt-data' }));
  });
});
