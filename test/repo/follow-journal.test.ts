/** Index and HEAD follow the journal: what others published, a store that was set back, entries that are damaged. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { commit } from '../../src/api/commit.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import { snapshotRef } from '../../src/object/ref-name.ts';
import { ENTRY_KIND } from '../../src/object/tree-entry.ts';
import { journalName, packName } from '../../src/repo/layout.ts';
import { collect } from '../history/collect.ts';
import { flipBit, packPaths } from '../kit/damage.ts';
import { noise } from '../kit/folder.ts';
import { openAt } from './failing-disk.ts';
import { newWorkspace } from './one-workspace.ts';

const { roots, failing, opened, at, open, close, headFile, commits } = newWorkspace();

describe('the index follows the journal', () => {
  test('a pack that is damaged costs its snapshots until a repair; one that may not be read is an error', async () => {
    const [first, second] = await commits(2);
    rmSync(at('.snap/index'), { recursive: true });
    const footers = packPaths(at('.snap/store'));
    failing.hook = (call, path) => (call === 'read' && path === footers[1] ? 'EACCES' : undefined);
    await expect(open()).rejects.toMatchObject({ code: 'permission' });
    failing.hook = undefined;
    const [{ id }] = JSON.parse(readFileSync(at(`.snap/store/${journalName(2)}`), 'utf8')).packs;
    const pack = at(`.snap/store/${packName(id)}`);
    flipBit(pack, readFileSync(pack).length - 1);
    const { repository } = await open();
    expect((await repository.trees.snapshot(second as BlobId)).parent).toBe(first);
    await expect(repository.trees.snapshot(first as BlobId)).rejects.toMatchObject({ code: 'corrupt-data' });
  });
});

describe('a store that went on without this workspace', () => {
  test('after an older copy was put back: not taken for the one that was seen, also if it is as long as before', async () => {
    const store = at('.snap/store');
    await commits(1);
    cpSync(store, join(roots.root, 'copy'), { recursive: true });
    writeFileSync(at('f'), 'lost with the store');
    const one = await open();
    const lost = (await commit(one)).id as BlobId;
    await close();
    rmSync(store, { recursive: true });
    cpSync(join(roots.root, 'copy'), store, { recursive: true });
    const other = await openAt(await roots.init('other', store));
    opened.push(other);
    await commit(other);
    const { repository } = await open();
    expect(repository.damage).toMatchObject({ code: 'corrupt-data', message: expect.stringContaining('not the one') });
    expect(repository.head().snapshot).toBe(lost);
    expect(repository.state().refs.has(snapshotRef(lost))).toBe(true);
  });

  test('in which a repair wrote the snapshot of HEAD anew, or took it out', async () => {
    const [first, second] = (await commits(2)) as [BlobId, BlobId];
    const other = await openAt(await roots.init('other', at('.snap/store')));
    opened.push(other);
    const publish = (id: BlobId, grafts: Record<string, string>) => {
      const refs = [{ name: snapshotRef(id), from: id, to: null }];
      const draft = { operation: 'repair', note: '', refs, grafts } as const;
      return other.repository.publish(draft, {}, () => draft);
    };
    await publish(second, { [second]: first });
    const { repository } = await open();
    expect(repository.head().snapshot).toBe(first);
    await publish(first, {});
    await repository.refresh();
    expect(repository.head().snapshot).toBeNull();
  });

  test('and swept packs: the index forgets what lay in them', async () => {
    const [first] = await commits(1);
    const { repository } = await open();
    const other = await openAt(await roots.init('other', at('.snap/store')));
    opened.push(other);
    const packs = [...repository.state().packs.keys()];
    for (const draft of [
      { operation: 'condemn', note: '', condemned: packs } as const,
      { operation: 'sweep', note: '', swept: packs } as const,
    ])
      await other.repository.publish(draft, {}, () => draft);
    const { index } = repository;
    const removed: unknown[] = [];
    const write = index.write.bind(index);
    index.write = (changes) => {
      removed.push(...(changes.removedPacks ?? []));
      return write(changes);
    };
    await repository.refresh();
    expect(removed).toEqual(packs);
    expect(index.find(BLOB_KIND.snapshot, first as BlobId)).toBeUndefined();
  });

  test('and lost a pack: what lay in it is stored again by the next commit that has it', async () => {
    writeFileSync(at('large'), noise(50_000, 3));
    const [first] = await commits(1);
    const workspace = await open();
    const { trees, blobs } = workspace.repository;
    const file = await trees.entryAt((await trees.snapshot(first as BlobId)).tree, ['large']);
    const [chunk] = file?.kind === ENTRY_KIND.file ? await collect(trees.chunks(file)) : [];
    rmSync(join(at('.snap/store'), packName((await blobs.locate(BLOB_KIND.data, chunk?.id as BlobId)).pack)));
    writeFileSync(at('again'), noise(50_000, 3));
    await commit(workspace);
    expect((await blobs.read(BLOB_KIND.data, chunk?.id as BlobId)).equals(noise(50_000, 3))).toBe(true);
  });
});

describe('with a damaged journal', () => {
  beforeEach(async () => {
    await commits(2);
    writeFileSync(at(`.snap/store/${journalName(3)}`), 'torn');
  });

  test('what is known is read, and nothing is published or taken for new', async () => {
    const { repository } = await open();
    const draft = { operation: 'tag', note: '' } as const;
    expect(repository.damage).toMatchObject({ code: 'corrupt-data', hint: expect.stringContaining('up to entry 3') });
    expect(repository.state().number, 'the index remembers').toBe(3);
    await expect(repository.refresh()).rejects.toBe(repository.damage);
    await expect(repository.publish(draft, {}, () => draft)).rejects.toBe(repository.damage);
    expect(readdirSync(at('.snap/store/journal'))).toHaveLength(3);
    expect(headFile()).toMatch(/ 3\n$/);
  });

  test('without an index it is known as far as the journal is whole', async () => {
    rmSync(at('.snap/index'), { recursive: true });
    const { repository } = await open();
    expect(repository.state().number).toBe(2);
    expect(repository.index.state.number).toBe(2);
    await expect(repository.refresh()).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  test('a journal that is shorter than it was is damaged, too, and says by how much', async () => {
    rmSync(at(`.snap/store/${journalName(3)}`));
    expect((await open()).repository.damage).toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(/this workspace has seen/),
    });
    await close();
    rmSync(at('.snap/index'), { recursive: true });
    expect((await open()).repository.damage, 'HEAD remembers').toMatchObject({ code: 'corrupt-data' });
  });

  test('an entry that the disk does not give is as good as damaged: nothing is published', async () => {
    for (const number of [3, 2]) {
      failing.hook = (call, path) => (call === 'read' && path.endsWith(journalName(number)) ? 'EIO' : undefined);
      rmSync(at('.snap/index'), { recursive: true, force: true });
      expect((await open()).repository.damage, `entry ${number}`).toMatchObject({ code: 'corrupt-data' });
      await close();
    }
  });
});
