/**
 * Danger: a store that an earlier version made and this one cannot open. The stores here are kept as they were; each must
 * open for ever, give back every snapshot byte for byte, and take a new commit.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { initWorkspace, openWorkspace } from '../../src/api/workspace.ts';
import { checkStore } from '../kit/checker/check-store.ts';
import { snapshotOf } from '../kit/checker/snapshot.ts';
import { Store } from '../kit/checker/store.ts';
import { temporaryFolder } from '../kit/folder.ts';
import type { Exhibit } from './exhibit.ts';
import { describeEntries, describeFolder } from './exhibit.ts';

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

  test('a reader that knows SPEC.md only finds the same', () => {
    const folder = join(MUSEUM, format, 'store');
    const store = new Store(folder);
    for (const { id, entries } of exhibit.snapshots) expect(describeEntries(snapshotOf(store, id))).toEqual(entries);
    for (const [tag, id] of Object.entries(exhibit.tags)) expect(store.state.refs.get(`tags/${tag}`)).toBe(id);
    expect(store.counts.chunkLists).toBeGreaterThan(0);
    expect(store.counts.partLists).toBeGreaterThan(0);
    expect(checkStore(folder)).toEqual([]);
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
