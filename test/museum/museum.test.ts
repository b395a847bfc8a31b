/**
 * Danger: a store that an earlier version made and this one cannot open. The stores here are kept as they were; each must
 * open for ever, give back every snapshot byte for byte, and take a new commit.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { initWorkspace, openWorkspace } from '../../src/api/workspace.ts';
import { temporaryFolder } from '../kit/folder.ts';
import type { Exhibit } from './exhibit.ts';
import { describeEntries, describeFolder } from './exhibit.ts';
import { IndependentReader } from './independent-reader.ts';

const MUSEUM = fileURLToPath(new URL('.', import.meta.url));
const FORMATS = fs.readdirSync(MUSEUM).filter((name) => name.startsWith('format-'));

describe.each(FORMATS)('%s', (format) => {
  const exhibit = JSON.parse(fs.readFileSync(join(MUSEUM, format, 'fingerprint.json'), 'utf8')) as Exhibit;
  const folder = temporaryFolder();
  const root = join(folder.path, 'workspace');

  beforeAll(async () => {
    fs.cpSync(join(MUSEUM, format, 'store'), join(folder.path, 'store'), { recursive: true });
    await initWorkspace(root, { store: join(folder.path, 'store') });
  });
  afterAll(() => folder.remove());

  test.each(exhibit.snapshots)('$message', async ({ id, entries }) => {
    const workspace = await openWorkspace(root);
    const to = join(folder.path, id.slice(0, 10));
    try {
      await checkout(workspace, { revision: id, to });
    } finally {
      await workspace.close();
    }
    expect(describeFolder(to)).toEqual(entries);
  });

  test('tags', async () => {
    const workspace = await openWorkspace(root);
    try {
      for (const [tag, id] of Object.entries(exhibit.tags)) {
        const result = await checkout(workspace, { revision: tag, paths: ['README.md'], to: join(folder.path, tag) });
        expect(result.id).toBe(id);
      }
    } finally {
      await workspace.close();
    }
  });

  // Node before 22.15 has no zstd of its own, and this reader takes nothing from snap.
  test.skipIf(typeof zlib.zstdDecompressSync !== 'function')('a reader that knows SPEC.md only finds the same', () => {
    const reader = new IndependentReader(join(MUSEUM, format, 'store'));
    for (const { id, entries } of exhibit.snapshots) expect(describeEntries(reader.entries(id))).toEqual(entries);
    for (const [tag, id] of Object.entries(exhibit.tags)) expect(reader.refs.get(`tags/${tag}`)).toBe(id);
    expect(reader.counts.chunkLists).toBeGreaterThan(0);
    expect(reader.counts.partLists).toBeGreaterThan(0);
  });

  test('takes a new commit, and stores nothing that it has', async () => {
    const last = exhibit.snapshots.at(-1);
    const workspace = await openWorkspace(root);
    try {
      fs.cpSync(join(folder.path, last?.id.slice(0, 10) ?? ''), root, {
        recursive: true,
        preserveTimestamps: true,
        verbatimSymlinks: true,
        force: true,
      });
      const result = await commit(workspace, { message: 'a new one' });
      expect(result.id).toBeDefined();
      // Trees and the snapshot are new, as copied links are; file contents are not.
      expect(result.newBytes).toBeLessThan(700_000);
    } finally {
      await workspace.close();
    }
  });
});
