/** Fuzz targets: the small files that a workspace and a store keep, and the locks. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { encodeCanonicalJson } from '../../../src/bytes/canonical-json.ts';
import { decodeName } from '../../../src/bytes/names.ts';
import { realDisk } from '../../../src/disk/disk.ts';
import { isAlive, readHolder } from '../../../src/disk/lock-file.ts';
import { SnapError } from '../../../src/errors.ts';
import { readHead } from '../../../src/repo/head.ts';
import { readOperations } from '../../../src/repo/operation-log.ts';
import type { Repository } from '../../../src/repo/repository.ts';
import { parseSettings } from '../../../src/repo/settings.ts';
import { decodeStoreConfig, encodeStoreConfig } from '../../../src/repo/store-config.ts';
import { blobIds, nameBytes, packIds, texts } from '../arbitrary.ts';
import type { Target } from './engine.ts';
import { DAMAGED, JSON_WORDS } from './words.ts';

const FOLDER = mkdtempSync(`${tmpdir()}/snap-fuzz-`);
mkdirSync(`${FOLDER}/.snap`);
export const removeFuzzFolder = (): void => rmSync(FOLDER, { recursive: true, force: true });

/** Writes the input where the reader looks for it. */
function file(name: string, input: Buffer): string {
  writeFileSync(`${FOLDER}/.snap/${name}`, input);
  return `${FOLDER}/.snap`;
}

const storeConfigs: Target = {
  name: 'store-config',
  seeds: fc
    .record({ id: packIds, packBytes: fc.integer({ min: 1024, max: 2 ** 30 }) })
    .map(({ id, packBytes }) =>
      encodeStoreConfig({ id, packBytes, chunker: { minBytes: 64, averageBytes: 256, maxBytes: 1024 } }),
    ),
  words: [...JSON_WORDS, '"gear-2"', '"maxBytes":9007199254740991', '"averageBytes":3'],
  codes: DAMAGED,
  run: (input) => encodeStoreConfig(decodeStoreConfig(input)),
};

const heads: Target = {
  name: 'head',
  seeds: fc
    .tuple(fc.option(blobIds), fc.nat({ max: 999_999_999_999 }))
    .map(([id, number]) => Buffer.from(`${id ?? '-'} ${number}\n`)),
  words: ['-', ' ', '\n', '0', '999999999999', '9'.repeat(400)],
  codes: DAMAGED,
  run: (input) => {
    const { snapshot, journalNumber, journalHash, isDamaged } = readHead(realDisk, file('HEAD', input));
    // A damaged one is found again, not refused: that it says nothing is the refusal.
    if (isDamaged) throw new SnapError('corrupt-data', 'damaged HEAD');
    const seen = journalHash === undefined ? '' : ` ${journalHash}`;
    return Buffer.from(`${snapshot ?? '-'} ${journalNumber}${seen}\n`);
  },
};

const operationLines = fc
  .array(
    fc.record({
      from: fc.option(blobIds),
      to: blobIds,
      paths: fc.option(fc.array(nameBytes.map(decodeName), { maxLength: 3 })),
      time: fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }),
    }),
    { maxLength: 4 },
  )
  .map((records) =>
    Buffer.concat(
      records.flatMap((record, i) => [
        encodeCanonicalJson({
          ...record,
          time: record.time.toISOString(),
          format: 1,
          head: record.to,
          journal: i,
          n: i + 1,
          operation: 'checkout',
          saved: null,
          undoes: null,
        }),
        Buffer.from('\n'),
      ]),
    ),
  );

const operations: Target = {
  name: 'operations',
  seeds: operationLines,
  words: [...JSON_WORDS, '\n', '\n\n'],
  codes: DAMAGED,
  inputBytesMax: 256 * 1024,
  run: async (input) => {
    const folder = file('operations.jsonl', input);
    await readOperations({ folder, environment: { disk: realDisk } } as unknown as Repository);
    return undefined;
  },
};

const tomlSeeds = fc
  .record({
    keep: fc.nat(),
    name: fc.string(),
    within: fc.constantFrom('30d', '1y6mo', '0'),
    tiers: fc.constantFrom('7d:all', '1mo:week,2y:year'),
    exclude: fc.array(fc.string(), { maxLength: 3 }),
  })
  .map(({ keep, name, within, tiers, exclude }) =>
    Buffer.from(
      `# settings\n[workspace]\nid = "00112233445566778899aabbccddeeff"\nname = ${JSON.stringify(name.replace(/[^ -~]/g, ''))}\n\n[gc]\nkeep-last = ${keep}\nkeep-within = "${within}"\ntiers = '${tiers}'\nkeep-under = "20 GB"\n[commit]\nexclude = ${JSON.stringify(exclude.map((text) => text.replace(/[^ -~]/g, '')))}\n`,
    ),
  );
const TOML_WORDS = [
  ...[
    '[gc]',
    '[[gc]]',
    '[gc.x]',
    'gc = {',
    '}',
    '"""',
    "'''",
    'nan',
    'inf',
    '0x7fffffffffffffff',
    '99999999999999999999',
  ],
  ...[
    '1979-05-27',
    '__proto__ = 1\n',
    '[__proto__]\n',
    'a.b.c.',
    '[[',
    '[[[[[[[[',
    ']',
    '= ',
    '\r\n',
    '\\u0000',
    '\0',
    '#',
    '"',
  ],
];

const settingsFiles: Target = {
  name: 'settings',
  seeds: tomlSeeds,
  words: TOML_WORDS,
  codes: ['usage'],
  inputBytesMax: 256 * 1024,
  run: (input) => {
    parseSettings(input.toString('utf8'), 'config.toml');
    return undefined;
  },
};

const holders = fc
  .record({
    id: packIds,
    pid: fc.nat({ max: 4_000_000 }),
    host: texts,
    bootId: texts,
    startTime: texts,
    command: texts,
  })
  .map((holder) => Buffer.from(`${JSON.stringify(holder)}\n`));

const locks: Target = {
  name: 'lock',
  seeds: holders,
  words: [...JSON_WORDS, '"pid":-1', '"pid":1e999', '"pid":0.5', '"id":"../../x"', '"host":null'],
  codes: [],
  run: (input) => {
    const holder = readHolder(realDisk, `${file('lock', input)}/lock`);
    if (holder !== undefined) isAlive(realDisk, holder, holder);
    return undefined;
  },
};

export const SMALL_FILE_TARGETS: readonly Target[] = [storeConfigs, heads, operations, settingsFiles, locks];
