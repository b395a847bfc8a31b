/** Names that a file system may take for one are looked at before the second is written, also in a folder just made. */
import { expect, test } from 'vitest';
import { NewFolders } from '../../src/checkout/new-folders.ts';

test.each([
  ['a', 'A'],
  ['é', 'e\u0301'],
  ['ﬁ', 'FI'],
  ['οδός', 'ΟΔΌΣ'],
  ['ς', 'σ'],
  ['straße', 'STRASSE'],
  ['STRAẞE', 'strasse'],
  ['\u212a', 'k'],
  ['ſ', 's'],
  ['a\u200db', 'ab'],
  ['a\u00adb', 'a\ufe0fb'],
  ['e\u034f\u0301', 'é'],
  ['ᾴ', 'ΆΙ'],
])('%s and %s', (one, other) => {
  const folders = new NewFolders(true);
  folders.enter('d');
  for (const folder of ['', 'd/']) {
    expect(folders.isVacant(`${folder}${one}`)).toBe(true);
    expect(folders.isVacant(`${folder}${other}`)).toBe(false);
    expect(folders.isVacant(`${folder}${one}2`)).toBe(true);
  }
});
