/**
 * Danger: damage that an earlier version found and this one does not, or that costs more than it did. The damaged stores
 * here are kept as they were, each with a label of the verdicts.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { AMOUNT, SEED } from '../kit/amount.ts';
import { checkStore, leftovers } from '../kit/checker/check-store.ts';
import { temporaryFolder } from '../kit/folder.ts';
import type { Base, Label } from './damage.ts';
import { DAMAGES, SEEN, verdictOn, wrongFiles } from './damage.ts';

const MUSEUM = fileURLToPath(new URL('./damage/', import.meta.url));
const EXHIBITS = fs.readdirSync(MUSEUM).filter((name) => name !== 'base.json');
const base = JSON.parse(fs.readFileSync(join(MUSEUM, 'base.json'), 'utf8')) as Base;
/** What is not damaged. */
const SOUND = ['sound', 'leftovers'];
/** Sound in itself: only who has seen it before can tell. */
const KNOWN_BY_WORKSPACE = ['entry-last-missing', 'entry-another'];

test('every kind of damage is in the museum', () => {
  expect(EXHIBITS).toEqual(expect.arrayContaining(Object.keys(DAMAGES)));
});

describe.each(EXHIBITS)('%s', (name) => {
  const label = JSON.parse(fs.readFileSync(join(MUSEUM, name, 'label.json'), 'utf8')) as Label;
  const isSound = SOUND.includes(name);

  const isLeftOut = AMOUNT === 'sample' && (EXHIBITS.indexOf(name) + SEED) % 4 !== 0;
  // A quarter of them, others each time, takes 5 s; all of them on a busy machine 20 s.
  if (!isLeftOut)
    test('verify, checkout, repair and the independent checker say what the label says', async () => {
      const folder = temporaryFolder();
      try {
        // What a repository of Git does not keep: folders without files.
        fs.cpSync(join(MUSEUM, name, 'store'), join(folder.path, 'store'), { recursive: true });
        const sound = SEEN.includes(name) ? join(MUSEUM, 'sound/store') : undefined;
        expect(await verdictOn(folder.path, base, sound)).toEqual({
          verify: label.verify,
          checkout: label.checkout,
          readable: label.readable,
          repair: label.repair,
        });
        expect(wrongFiles(folder.path, base)).toEqual([]);
      } finally {
        folder.remove();
      }
    });

  test('damage is seen by verify and by the independent checker alike', () => {
    const store = join(MUSEUM, name, 'store');
    expect(checkStore(store).length === 0).toBe(isSound || KNOWN_BY_WORKSPACE.includes(name));
    expect('error' in label.verify || label.verify.damaged).toBe(!isSound);
    if (name === 'leftovers') expect(leftovers(store)).toHaveLength(2);
  });

  test('a checkout costs no file that the independent checker can read', () => {
    for (const { message, files } of base.snapshots) {
      const made = label.checkout[message];
      if (made === undefined || 'error' in made) continue;
      const lost = Object.keys(files).filter((path) =>
        made.failed.some((failed) => path === failed || path.startsWith(`${failed}/`)),
      );
      expect(lost.filter((path) => label.readable[message]?.includes(path))).toEqual([]);
    }
  });
});
