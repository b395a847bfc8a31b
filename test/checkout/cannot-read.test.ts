/** What people read of a folder that cannot be looked at, or not be used as a target: never a descriptor's path. */
import { expect, test } from 'vitest';
import { atTarget, cannotRead, targetError } from '../../src/checkout/cannot-read.ts';
import { SnapError } from '../../src/errors.ts';

const failure = (code: string, path?: string): Error => Object.assign(new Error(code), { code, path });

test('a path that cannot be read is named from the root, or the folder on the way', () => {
  const named = (error: unknown, path: string): unknown => cannotRead(error, '/work', path);
  expect(named(failure('EACCES', '/proc/self/fd/9/x'), 'a/x')).toMatchObject({
    code: 'permission',
    message: 'a/x cannot be read (EACCES)',
  });
  expect(named(failure('EACCES', '/work/a'), 'a/x')).toMatchObject({ message: 'a cannot be read (EACCES)' });
  expect(named(failure('EIO'), '')).toMatchObject({ code: 'io', message: '/work cannot be read (EIO)' });
  for (const other of [new SnapError('refused', 'no'), new TypeError('no')]) expect(named(other, 'x')).toBe(other);
});

test('a target that cannot be used says what to do about it', () => {
  for (const code of ['EACCES', 'EPERM'])
    expect(targetError(failure(code), 'writing into', '/out')).toMatchObject({
      hint: 'Name a folder that you may write to.',
    });
  expect(targetError(failure('ENOSPC'), 'writing into', '/out')).toMatchObject({
    code: 'no-space',
    message: expect.stringContaining('/out'),
  });
  for (const other of [new SnapError('refused', 'no'), new TypeError('no')])
    expect(targetError(other, 'writing into', '/out')).toBe(other);
  expect(atTarget('writing into', '/out', () => 7)).toBe(7);
  expect(() =>
    atTarget('writing into', '/out', () => {
      throw failure('EROFS');
    }),
  ).toThrow(SnapError);
});
