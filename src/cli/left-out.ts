/** Words for what a scan did not take: it could not be read, or it is nothing that a snapshot holds. */
import { GONE_REASON } from '../scan/scanned-folder.ts';
import type { Face } from './face.ts';

/** What people read of a path that was skipped: "d could not be read (EACCES)", "x was left out (it is a store of snap)". */
export function leftOut(face: Face, { path, reason }: { readonly path: string; readonly reason: string }): string {
  const text = face.safe(reason);
  return `${face.safe(path)} ${isErrno(reason) ? `could not be read (${text})` : `was left out (${text})`}`;
}

/** Says how to be asked no more about what is left out for what it is. */
export function noteLeftOut(face: Face, skipped: readonly { readonly reason: string }[]): void {
  if (skipped.some(({ reason }) => reason === GONE_REASON))
    face.note('What was moved while the folder was read may be in no snapshot yet: the next commit has it.');
  if (skipped.some(({ reason }) => !isErrno(reason) && reason !== GONE_REASON))
    face.note('A line in .snapignore for what is left out says that this is meant.');
}

function isErrno(reason: string): boolean {
  return /^E[A-Z0-9]+$/.test(reason);
}
