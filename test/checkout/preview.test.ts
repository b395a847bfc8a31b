/** A preview says what the checkout then does, in numbers and steps, and changes nothing. */
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CheckoutSettings } from '../../src/api/checkout.ts';
import { checkout, planCheckout } from '../../src/api/checkout.ts';
import { fingerprint } from '../kit/folder.ts';
import type { TestWorkspace } from '../kit/workspace.ts';
import { makeWorkspace } from '../kit/workspace.ts';

let made: TestWorkspace;
let first: string;
let to: string;
beforeEach(async () => {
  made = await makeWorkspace({ files: { same: 'same', changed: 'one', 'folder/gone': 'gone!', 'folder/too': '12' } });
  symlinkSync('same', join(made.root, 'link'));
  first = await made.commit('first');
  rmSync(join(made.root, 'folder'), { recursive: true });
  rmSync(join(made.root, 'link'));
  made.write('changed', 'another');
  made.write('new/a', 'a');
  made.write('new/b', 'b');
  await made.commit('second');
  to = join(made.root, '..', 'elsewhere');
});
afterEach(() => made.cleanup());

const listed = (path: string): string => fingerprint(path).join('\n');

/** The preview of a checkout, which changes nothing, and then the checkout. */
async function both(settings: CheckoutSettings): Promise<{
  plan: Awaited<ReturnType<typeof planCheckout>>;
  done: Awaited<ReturnType<typeof checkout>>;
}> {
  const before = [listed(made.root), existsSync(to) ? listed(to) : ''];
  const plan = await planCheckout(made.workspace, settings);
  expect([listed(made.root), existsSync(to) ? listed(to) : '']).toEqual(before);
  return { plan, done: await checkout(made.workspace, settings) };
}

const steps = (plan: Awaited<ReturnType<typeof planCheckout>>): string[] =>
  plan.steps.map(({ kind, path }) => `${kind} ${path}`).sort();

test('in place: files written with their bytes, links, removals, folders', async () => {
  const { plan, done } = await both({ revision: first });
  expect(plan).toMatchObject({ writes: 4, bytes: 'one'.length + 'gone!'.length + 2, removals: 2, blocked: [] });
  expect(steps(plan)).toEqual([
    'folder ',
    'folder folder',
    'make-folder folder',
    'remove new/a',
    'remove new/b',
    'remove-folder new',
    'symlink link',
    'write changed',
    'write folder/gone',
    'write folder/too',
  ]);
  expect(done).toMatchObject({ written: plan.writes, bytesWritten: plan.bytes, removed: plan.removals });
});

test('of one path: only that', async () => {
  const { plan, done } = await both({ revision: first, paths: ['folder/gone'] });
  expect(plan).toMatchObject({ writes: 1, bytes: 5, removals: 0 });
  expect(done).toMatchObject({ written: 1, bytesWritten: 5, removed: 0 });
});

describe('elsewhere', () => {
  test('where nothing is', async () => {
    const { plan, done } = await both({ revision: first, to });
    expect(plan).toMatchObject({ writes: 6, removals: 0, blocked: [] });
    expect(done).toMatchObject({ written: plan.writes, bytesWritten: plan.bytes, removed: 0 });
    expect(readdirSync(to).sort()).toEqual(['.snapignore', 'changed', 'folder', 'link', 'same']);
  });

  test('where an empty folder is', async () => {
    mkdirSync(to);
    const { plan, done } = await both({ revision: first, to });
    expect(plan).toMatchObject({ writes: 6, blocked: [] });
    expect(done.written).toBe(6);
  });

  test('where files are: refused as the checkout is, and with force it names what would be replaced', async () => {
    mkdirSync(to);
    writeFileSync(join(to, 'changed'), 'mine');
    writeFileSync(join(to, 'other'), 'mine');
    await expect(planCheckout(made.workspace, { revision: first, to })).rejects.toMatchObject({ code: 'refused' });
    await expect(checkout(made.workspace, { revision: first, to })).rejects.toMatchObject({ code: 'refused' });
    const { plan, done } = await both({ revision: first, to, force: true });
    expect(plan.blocked).toEqual([{ path: 'changed', reason: 'it has other contents' }]);
    expect(done).toMatchObject({ written: 6, failures: [] });
    expect(readdirSync(to).sort()).toEqual(['.snapignore', 'changed', 'folder', 'link', 'other', 'same']);
  });

  test('a file in the place of the folder: refused by both', async () => {
    writeFileSync(to, 'a file');
    for (const ask of [planCheckout, checkout])
      await expect(ask(made.workspace, { revision: first, to })).rejects.toMatchObject({ code: expect.any(String) });
  });
});
