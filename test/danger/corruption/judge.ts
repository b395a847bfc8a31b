/** What must hold after a mutation, whatever it was. Gives what does not. */
import fs from 'node:fs';
import { join } from 'node:path';
import { checkStore } from '../../kit/checker/check-store.ts';
import { differences, readableFiles, readFolder } from '../../kit/checker/snapshot.ts';
import type { ExamAnswer, ExamQuestion, Tried, Verdict } from './exam.ts';
import type { Outcome } from './examiner.ts';
import type { Fixture } from './fixture.ts';
import type { Mutation } from './mutations.ts';

/** Codes that a person may get for damage or for a setting that was changed. */
const ALLOWED = {
  truth: ['corrupt-data', 'unsupported-format', 'not-found'],
  checkpoint: ['corrupt-data'],
  config: ['corrupt-data', 'unsupported-format', 'no-store'],
  derived: [] as string[],
  workspace: ['corrupt-data', 'usage', 'no-workspace', 'no-store', 'not-found', 'unsupported-format', 'io'],
};

export function snapshotPaths(fixture: Fixture): Record<string, string[]> {
  return Object.fromEntries(
    [...fixture.snapshots].map(([id, entries]) => [
      id,
      [...entries].filter(([, { kind }]) => kind === 'file').map(([path]) => path),
    ]),
  );
}

export interface Examined {
  readonly question: ExamQuestion;
  /** A copy of the store as it was when the exam began. */
  readonly store: string;
  readonly outcome: Outcome;
}

export function judge(mutation: Mutation, fixture: Fixture, { question, store, outcome }: Examined): string[] {
  if ('died' in outcome) return [`the process died: ${outcome.died}`];
  const { answer } = outcome;
  return [
    ...badCodes(mutation, answer),
    ...wrongBytes(fixture, question, answer),
    ...undetected(mutation, answer, store),
    ...(mutation.fileClass === 'truth' ? tooFarReaching(fixture, answer, store) : []),
    ...(mutation.file.endsWith('HEAD') ? headOf(fixture, answer) : []),
    ...(mutation.fileClass === 'derived' || mutation.fileClass === 'checkpoint' ? notHealed(fixture, answer) : []),
  ];
}

function badCodes({ fileClass, file }: Mutation, answer: ExamAnswer): string[] {
  // Only a journal that lost an entry makes a snapshot unknown.
  const isUnknown = (code: string): boolean => code === 'not-found' && fileClass === 'truth' && file.endsWith('.pack');
  // A lock that names another machine is never broken.
  const isLocked = (code: string): boolean => code === 'locked' && file === '.snap/lock';
  const parts: [string, Tried<unknown> | undefined][] = [
    ['open', answer.open],
    ['verify', answer.verify],
    ['log', answer.log],
    ['operations', answer.operations],
    ['commit', answer.commit],
    ...Object.entries(answer.cat),
    ...Object.entries(answer.checkout),
  ];
  return parts.flatMap(([what, tried]) =>
    isFailure(tried) &&
    (isUnknown(tried.failed) || !(isLocked(tried.failed) || ALLOWED[fileClass].includes(tried.failed)))
      ? [`${what}: ${tried.failed}: ${tried.message}`]
      : [],
  );
}

/** I4: right bytes or an error. */
function wrongBytes(fixture: Fixture, { target }: ExamQuestion, answer: ExamAnswer): string[] {
  const wrong: string[] = [];
  for (const [id, entries] of fixture.snapshots) {
    for (const [path, { sha256 }] of entries) {
      const got = answer.cat[`${id}:${path}`];
      if (typeof got === 'string' && got !== sha256) wrong.push(`cat ${id}:${path} gave other bytes`);
    }
    const failed = answer.checkout[id];
    const folder = join(target, id.slice(0, 8));
    if (failed === undefined || !fs.existsSync(folder)) continue;
    const found = readFolder(folder);
    const left = [...found.keys()].find((path) => path.startsWith('.snap-checkout-'));
    const lines = differences(entries, new Map([...found].filter(([path]) => !path.startsWith('.snap-checkout-'))));
    if (left !== undefined && !isFailure(failed)) wrong.push(`checkout of ${id} left ${left}`);
    const isWhole = !isFailure(failed) && failed.length === 0;
    // What failed may be missing, and folders of it have other times; a file that is there is the right one.
    for (const line of lines)
      if (isWhole || /: (?:size|sha256|target|kind) is |: not expected$/.test(line))
        wrong.push(`checkout of ${id} (${JSON.stringify(failed)}): ${line}`);
  }
  return wrong;
}

/** 100 % outside what is derived. */
function undetected(mutation: Mutation, { open, verify }: ExamAnswer, examined: string): string[] {
  const { fileClass, file, twin } = mutation;
  // Checkpoints come and go.
  const isGone = fileClass === 'checkpoint' && mutation.class.endsWith('removed');
  if ((fileClass !== 'truth' && fileClass !== 'checkpoint') || isGone) return [];
  if (isFailure(open) || isFailure(verify)) return [];
  if (verify === undefined || verify.faultCount === 0) return ['verify --data finds nothing'];
  // That the journal lost its end is known to the workspace only.
  if (checkStore(examined).length === 0 && !file.includes('journal')) return ['the independent checker finds nothing'];
  const isKnown = fileClass === 'checkpoint' || isNamed(verify, file) || (twin !== undefined && isNamed(verify, twin));
  return isKnown ? [] : [`verify does not name it: ${JSON.stringify(verify.faults)}`];
}

function isNamed({ faults }: Verdict, file: string): boolean {
  const pack = /([0-9a-f]{32})\.pack$/.exec(file)?.[1];
  if (pack !== undefined) return faults.some((fault) => fault.pack === pack || fault.reason.includes(pack));
  const entry = Number(/(\d{12})\.json$/.exec(file)?.[1]);
  // A changed entry is often found by the hash that the next one has of it.
  return faults.some((fault) => fault.what === 'journal' && [entry, entry + 1].includes(fault.entry ?? -1));
}

/** What the independent checker can read of the damaged store, snap reads too; and verify names the rest. */
function tooFarReaching(fixture: Fixture, answer: ExamAnswer, examined: string): string[] {
  if (isFailure(answer.open)) return [];
  const found: string[] = [];
  for (const [id, entries] of fixture.snapshots) {
    const readable = readableFiles(examined, id);
    const failures = answer.checkout[id];
    for (const [path, { kind }] of entries) {
      if (kind !== 'file') continue;
      const got = answer.cat[`${id}:${path}`];
      if (readable.has(path) && isFailure(got))
        found.push(`cat ${id}:${path}: ${got.message}, but the checker can read it`);
      if (readable.has(path) && failures !== undefined && (isFailure(failures) || failures.includes(path)))
        found.push(`checkout of ${id}: ${path} failed (${JSON.stringify(failures)}), but the checker can read it`);
      if (isFailure(got) && got.failed !== 'not-found' && !isHit(answer.verify, id, path))
        found.push(`verify does not name ${id}:${path}, which cannot be read`);
    }
  }
  return found;
}

function isHit(verify: Tried<Verdict> | undefined, id: string, path: string): boolean {
  if (verify === undefined || isFailure(verify)) return true;
  return verify.hits.some(
    (hit) =>
      hit.snapshots.includes(id) &&
      (hit.path === path || hit.path === '' || (hit.path.endsWith('/') && path.startsWith(hit.path))),
  );
}

/** It is refused, found again from the journal, or said not to be of this journal; never silently another one. */
function headOf(fixture: Fixture, { open, head, verify }: ExamAnswer): string[] {
  if (isFailure(open) || head === fixture.head) return [];
  const isTold = verify !== undefined && !isFailure(verify) && verify.faults.some(({ what }) => what === 'journal');
  return isTold ? [] : [`HEAD is ${JSON.stringify(head)}`];
}

/** Everything as if nothing had happened. */
function notHealed(fixture: Fixture, answer: ExamAnswer): string[] {
  const found: string[] = [];
  const expected = [...fixture.snapshots.keys()].reverse();
  if (JSON.stringify(answer.log) !== JSON.stringify(expected)) found.push(`log is ${JSON.stringify(answer.log)}`);
  if (answer.head !== fixture.head) found.push(`HEAD is ${JSON.stringify(answer.head)}`);
  for (const [id, entries] of fixture.snapshots) {
    if (JSON.stringify(answer.checkout[id]) !== '[]')
      found.push(`checkout of ${id}: ${JSON.stringify(answer.checkout[id])}`);
    for (const [path, { sha256 }] of entries)
      if (sha256 !== undefined && answer.cat[`${id}:${path}`] !== sha256)
        found.push(`cat ${id}:${path} is not what it was`);
  }
  return found;
}

function isFailure<T>(tried: Tried<T> | undefined): tried is Extract<Tried<T>, { failed: string }> {
  return typeof tried === 'object' && tried !== null && 'failed' in tried;
}
