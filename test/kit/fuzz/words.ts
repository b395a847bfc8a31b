/** What fuzz targets of several kinds put in, and what they accept. */

/** The codes of what is refused as damaged. */
export const DAMAGED = ['corrupt-data', 'unsupported-format'] as const;

/** Pieces of JSON on which readers stumble. */
export const JSON_WORDS = [
  ...['null', 'true', '-1', '-0', '1e3', '1e999', '1.5', '9007199254740992', '""', '{}', '[]', '[[[[[[[[', '{"a":'],
  ...['"__proto__":1,', '"constructor":null,', '"\\ud800"', '"\\u0041"', '\ufeff', ' ', ',', '"features":["x"]'],
  ...['"format":2', '"snapshots/', '"tags/', '"tags/../x"', '[{', '}]', '"to":null', '\u0000'],
];
