/** Danger: files of more bytes than one call of Node reads, than a pack may have, and than memory holds. All are sparse. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openConfig } from '../../src/api/config.ts';
import { gc } from '../../src/api/gc.ts';
import { repair } from '../../src/api/repair.ts';
import { realDisk } from '../../src/disk/disk.ts';
import { readFully, writeFully } from '../../src/disk/whole-calls.ts';
import { decodeJournalEntry } from '../../src/object/journal-entry.ts';
import { PACK_BYTES_MAX } from '../../src/object/pack-id.ts';
import { journalName, packName } from '../../src/repo/layout.ts';
import { amount } from '../kit/amount.ts';
import { alterEntry, packPaths, verifyAll } from '../kit/damage.ts';
import type { SmallWorkspace } from '../kit/small-workspace.ts';
import { scratchFolder } from '../kit/small-workspace.ts';
import { makeTwoSnapshots, twoSnapshots } from '../repair/two-snapshots.ts';

const GIB = 1024 ** 3;
const HUGE = amount({ sample: 2 * GIB, ordinary: 1024 * GIB, long: 1024 * GIB });
const scratch = scratchFolder();
let made: SmallWorkspace;
let serial = 0;
beforeEach(async () => {
  ({ base: made } = await makeTwoSnapshots(join(scratch, `work-${++serial}`)));
});
afterEach(() => made.close());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const { store, expectAll } = twoSnapshots(() => made);

describe('one call of Node takes less than', () => {
  // The system gives out memory when it is touched: of these buffers next to nothing is.
  test.each([2, 3, 4])('%i GiB to read', (gib) => {
    const path = join(scratch, 'short');
    writeFileSync(path, 'short');
    const fd = openSync(path, 'r');
    const buffer = new Uint8Array(gib * GIB);
    expect(readFully(realDisk, fd, buffer, 0)).toBe(5);
    expect(Buffer.from(buffer.buffer, 0, 6).toString()).toBe('short\0');
    closeSync(fd);
  });

  test.each([2, 3])('%i GiB to write', (gib) => {
    const fd = openSync('/dev/null', 'w');
    expect(() => writeFully(realDisk, fd, new Uint8Array(gib * GIB), null)).not.toThrow();
    closeSync(fd);
  });
});

test('an entry that names a pack of 4 GiB is damage', () => {
  const path = join(store(), journalName(2));
  const withSize = (size: number) => {
    alterEntry(path, (text) => text.replace(/"size":\d+/, `"size":${size}`));
    return () => decodeJournalEntry(readFileSync(path), 2);
  };
  expect(withSize(PACK_BYTES_MAX)).not.toThrow();
  expect(withSize(PACK_BYTES_MAX + 1)).toThrow(/damaged journal entry 2 packs/);
});

test('a pack that has grown beyond all bounds loses nothing, and the time goes by what a pack may have', {
  timeout: 120_000,
}, async () => {
  const [path = ''] = packPaths(store());
  const ids = [...made.pictures.keys()];
  truncateSync(path, HUGE);
  expect((await verifyAll(made.workspace)).faults).toMatchObject([{ what: 'pack' }]);
  const result = await repair(made.workspace, { dropDamaged: true });
  expect(result).toMatchObject({ lostBlobs: 0, dropped: [], remains: false, packs: [{ fate: 'replaced' }] });
  await expectAll(ids);
});

test('a leftover beyond all bounds is swept', { timeout: 120_000 }, async () => {
  const stray = join(store(), packName('ab'.repeat(16) as never));
  mkdirSync(join(stray, '..'), { recursive: true });
  writeFileSync(stray, '');
  truncateSync(stray, HUGE);
  expect((await gc(made.workspace)).leftovers).toEqual({ files: 1, bytes: HUGE });
  expect(existsSync(stray)).toBe(false);
  expect((await verifyAll(made.workspace)).faults).toEqual([]);
});

describe('of a TiB, what snap keeps in the place of', () => {
  const grow = (name: string): string => {
    const path = join(made.root, '.snap', name);
    truncateSync(path, 1024 * GIB);
    return path;
  };

  const DAMAGED: readonly (readonly [string, string, () => Promise<unknown>])[] = [
    [
      'an entry of the journal',
      `store/${journalName(2)}`,
      async () => expect((await verifyAll(made.workspace)).faults).toMatchObject([{ what: 'journal' }]),
    ],
    [
      'the configuration of the store',
      'store/config.json',
      () => expect(made.reopen()).rejects.toMatchObject({ code: 'corrupt-data' }),
    ],
  ];
  test.each(amount({ sample: [], ordinary: DAMAGED, long: DAMAGED }))(
    '%s is damage',
    {
      timeout: 60_000,
    },
    async (_what, name, check) => {
      grow(name);
      await check();
    },
  );

  test('HEAD is found again', { timeout: 60_000 }, async () => {
    const { snapshot } = made.workspace.repository.head();
    grow('HEAD');
    await made.reopen();
    expect(made.workspace.repository.head().snapshot).toBe(snapshot);
  });

  test('the settings is refused, and not written again without its end', async () => {
    const path = grow('config.toml');
    await expect(openConfig(made.root).set('gc.keep-last', ['3'])).rejects.toMatchObject({ code: 'usage' });
    await expect(made.reopen()).rejects.toMatchObject({ code: 'usage' });
    expect(statSync(path).size).toBe(1024 * GIB);
  });
});
