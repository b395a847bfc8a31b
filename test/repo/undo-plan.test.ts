import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout } from '../../src/api/checkout.ts';
import { commit } from '../../src/api/commit.ts';
import { removeTag, tag } from '../../src/api/tag.ts';
import { previewUndo, undo } from '../../src/api/undo.ts';
import type { Workspace } from '../../src/api/workspace.ts';
import type { BlobId } from '../../src/object/blob-id.ts';
import { BLOB_KIND } from '../../src/object/blob-id.ts';
import type { RefName } from '../../src/object/ref-name.ts';
import { snapshotRef, tagRef } from '../../src/object/ref-name.ts';
import type { EntryDraft } from '../../src/repo/journal.ts';
import { journalName, packName } from '../../src/repo/layout.ts';
import { pastOperations } from '../../src/repo/operation-history.ts';
import { appendOperation } from '../../src/repo/operation-log.ts';
import { inverseChanges, refInWords, refsThatMoved } from '../../src/repo/ref-changes.ts';
import { listTags, removeTag as removeTagIn, setTag } from '../../src/repo/tagging.ts';
import { FailingDisk, newRoots, openAt } from './failing-disk.ts';

const roots = newRoots();
const failing = new FailingDisk();
let root: string;
let store: string;
let workspace: Workspace;
let other: Workspace;
let first: BlobId;
let second: BlobId;

beforeEach(async () => {
  store = join(roots.root, 'store');
  root = await roots.init('work', store);
  workspace = await openAt(root, { disk: failing.disk });
  writeFileSync(join(root, 'f'), '1');
  first = (await commit(workspace)).id as BlobId;
  writeFileSync(join(root, 'f'), '2');
  second = (await commit(workspace)).id as BlobId;
  other = await openAt(await roots.init('other', store));
});
afterEach(async () => {
  failing.hook = undefined;
  await workspace.close();
  await other.close();
});

const head = (): BlobId | null => workspace.repository.head().snapshot;
const refs = (): ReadonlyMap<RefName, BlobId> => workspace.repository.state().refs;
const publish = async (draft: EntryDraft, by = workspace): Promise<string> => {
  const { entry } = await by.repository.publish({ workspace: by.repository.workspaceId, ...draft }, {}, () => draft);
  return `j${entry.number}`;
};
const gone = (id: BlobId, name = snapshotRef(id)) => ({ name, from: id, to: null });
const refused = (message: string) => ({ code: 'refused', message: expect.stringContaining(message) });

describe('what cannot be undone', () => {
  test('says why: what it was, and whose', async () => {
    await checkout(other, { revision: first });
    await workspace.repository.refresh();
    const { number } = workspace.repository.state();
    await expect(undo(workspace, { operation: `j${number}` })).rejects.toMatchObject(
      refused('checkout of another workspace'),
    );
    const packs = [...workspace.repository.state().packs.keys()];
    const condemn = await publish({ operation: 'condemn', note: '', condemned: packs });
    await expect(undo(workspace, { operation: condemn })).rejects.toMatchObject(refused('only marked packs'));
    const repair = await publish({ operation: 'repair', note: '' });
    await expect(undo(workspace, { operation: repair })).rejects.toMatchObject(refused('quarantine'));
    await expect(undo(workspace, { operation: 'j1' })).rejects.toMatchObject(refused('it made the store'));
    expect((await previewUndo(workspace)).target, 'plain undo passes over all of them').toBe('j3');
  });

  test('an undo is told at once if a journal entry is missing', async () => {
    rmSync(join(store, journalName(2)));
    const walk = async (): Promise<void> => {
      for await (const _ of pastOperations(workspace.repository));
    };
    await expect(walk()).rejects.toMatchObject({ code: 'corrupt-data', context: { entry: 2 } });
  });

  test('many refs that moved are named in short', async () => {
    const tags = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name: tagRef(name), from: null, to: first }));
    const made = await publish({ operation: 'tag', note: '', refs: tags });
    for (const { name } of tags) await removeTag(workspace, name.slice(5));
    await expect(undo(workspace, { operation: made })).rejects.toMatchObject(
      refused('the tag a is gone; the tag b is gone; the tag c is gone; and 2 more'),
    );
  });
});

describe('undo of a commit', () => {
  test('with no note says only what it was; HEAD goes to nothing if nothing was before', async () => {
    await undo(workspace);
    const { draft } = (await previewUndo(workspace)) as { draft: EntryDraft };
    expect(draft).toMatchObject({ note: 'j2: commit', head: { from: first, to: null } });
    await undo(workspace);
    expect(head()).toBeNull();
  });

  test('goes back past a parent that was pruned since', async () => {
    writeFileSync(join(root, 'f'), '3');
    await commit(workspace);
    await publish({ operation: 'prune', note: '', refs: [gone(second)], grafts: { [second]: first } });
    await undo(workspace, { operation: 'j4' });
    expect(head()).toBe(first);
    expect(workspace.repository.state().grafts.get(second)).toBe(first);
  });

  test('goes back to nothing if all before it was pruned', async () => {
    await publish({ operation: 'prune', note: '', refs: [gone(first)] });
    await undo(workspace, { operation: 'j3' });
    expect(head()).toBeNull();
    expect([...refs().keys()]).toEqual([]);
  });
});

describe('undo of a checkout', () => {
  test('to nothing, where its record names no snapshot before it, is refused', async () => {
    await other.repository.refresh();
    const nothing = { operation: 'checkout', from: null, saved: null, to: first, paths: null } as const;
    await appendOperation(other.repository, nothing);
    await expect(undo(other, { operation: 'w1' })).rejects.toMatchObject(refused('there was no snapshot before it'));
    other.repository.setHead(second);
    await expect(undo(other, { operation: 'w1' })).rejects.toMatchObject({
      ...refused(`HEAD is at ${second.slice(0, 10)} now, not at ${first.slice(0, 10)}`),
      hint: expect.stringContaining('what was done since'),
    });
  });

  test('is refused where HEAD is at nothing now', async () => {
    await checkout(workspace, { revision: first });
    workspace.repository.setHead(null);
    await expect(undo(workspace, { operation: 'w1' })).rejects.toMatchObject({
      ...refused('HEAD is at nothing now'),
      hint: expect.stringContaining(`snap checkout ${second.slice(0, 10)}`),
    });
  });

  test('brings back what was saved where HEAD was at nothing', async () => {
    writeFileSync(join(other.root, 'own'), 'not committed');
    await checkout(other, { revision: first });
    await undo(other);
    expect(readFileSync(join(other.root, 'own'), 'utf8')).toBe('not committed');
    expect(existsSync(join(other.root, 'f'))).toBe(false);
    expect(other.repository.head().snapshot, 'what was not committed is so again').toBeNull();
    expect(readFileSync(join(other.root, '.snap/HEAD'), 'utf8')).toMatch(/^- /);
  });

  test('brings back the files where the snapshot of HEAD was pruned, and HEAD goes to its ancestor', async () => {
    writeFileSync(join(root, 'f'), 'not committed');
    await checkout(workspace, { revision: first });
    await publish({ operation: 'prune', note: '', refs: [gone(second)], grafts: { [second]: first } });
    await undo(workspace, { operation: 'w1' });
    expect(head()).toBe(first);
  });
});

describe('undo of a repair that took snapshots out', () => {
  const forget = async (id: BlobId): Promise<void> => {
    const { pack } = await workspace.repository.blobs.locate(BLOB_KIND.snapshot, id);
    rmSync(join(store, packName(pack)));
    await workspace.close();
    rmSync(join(root, '.snap/index'), { recursive: true });
    workspace = await openAt(root, { disk: failing.disk });
  };

  test('brings back those whose record can be read', async () => {
    await publish({ operation: 'repair', note: '', refs: [gone(first), gone(second)] });
    await forget(first);
    expect(head(), 'HEAD was taken out, too').toBeNull();
    await undo(workspace, { operation: 'j4' });
    expect([...refs().keys()]).toEqual([snapshotRef(second)]);
  });

  test('is refused if none can', async () => {
    await publish({ operation: 'repair', note: '', refs: [gone(second)] });
    await forget(second);
    await expect(undo(workspace, { operation: 'j4' })).rejects.toMatchObject(refused('no record of a snapshot'));
  });
});

describe('tags', () => {
  test('are listed by name, numbers as numbers, and those that differ in case only in one order', async () => {
    for (const name of ['v10', 'v9', 'b', 'B', 'v09', 'ä', 'a']) await tag(workspace, name);
    const names = listTags(workspace.repository).map(({ name }) => name);
    expect(names.indexOf('v9')).toBeLessThan(names.indexOf('v10'));
    expect(names.indexOf('v09')).toBeLessThan(names.indexOf('v10'));
    expect(new Set(names.slice(0, 2))).toEqual(new Set(['a', 'ä']));
    await other.repository.refresh();
    expect(listTags(other.repository).map(({ name }) => name)).toEqual(names);
  });

  test('that another process removed or moved meanwhile are a conflict', async () => {
    await tag(workspace, 'one');
    await tag(workspace, 'two');
    await other.repository.refresh();
    await removeTagIn(other.repository, 'one');
    await setTag(other.repository, 'two', first, true);
    await expect(removeTagIn(workspace.repository, 'one')).rejects.toMatchObject({
      code: 'conflict',
      message: 'another command was faster: the tag one is gone',
    });
    expect(refs().get(tagRef('two'))).toBe(first);
    await tag(workspace, 'three');
    await other.repository.refresh();
    await tag(other, 'elsewhere', { revision: first });
    await removeTagIn(workspace.repository, 'three');
    expect(refs().has(tagRef('three')), 'what others did to other refs does not hinder').toBe(false);
  });

  test('on a snapshot that was pruned, before or meanwhile, are refused', async () => {
    await other.repository.refresh();
    await publish({ operation: 'prune', note: '', refs: [gone(first)] }, other);
    await expect(setTag(workspace.repository, 'late', first, false)).rejects.toMatchObject({ code: 'not-found' });
    await expect(setTag(workspace.repository, 'later', first, false)).rejects.toMatchObject({ code: 'not-found' });
    expect(refs().has(tagRef('late'))).toBe(false);
  });
});

test('changes of refs in words, and back', async () => {
  await tag(workspace, 'v1', { revision: first });
  const { state } = workspace.repository;
  const changes = [
    { name: tagRef('v1'), from: second, to: null },
    { name: snapshotRef(second), from: null, to: second },
    { name: tagRef('v2'), from: first, to: second },
    { name: snapshotRef(first), from: first, to: null },
  ];
  expect(refsThatMoved(state(), changes)).toEqual([
    `the tag v1 is at ${first.slice(0, 10)} now`,
    `the snapshot ${second.slice(0, 10)} is at ${second.slice(0, 10)} now`,
    'the tag v2 is gone',
  ]);
  expect(inverseChanges(inverseChanges(changes))).toEqual(changes);
  expect(inverseChanges(changes)[2]).toEqual({ name: tagRef('v2'), from: second, to: first });
  expect(refInWords(tagRef('a/b'))).toBe('the tag a/b');
});
