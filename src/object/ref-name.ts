/**
 * Names that point at snapshots: `snapshots/<id>` and `tags/<name>`. What a ref reaches is kept; SPEC.md "Refs".
 */
import { SnapError } from '../errors.ts';
import type { BlobId } from './blob-id.ts';
import { isBlobId } from './blob-id.ts';

export type RefName = string & { readonly __brand: 'RefName' };

const SNAPSHOTS = 'snapshots/';
const TAGS = 'tags/';
const TAG_BYTES_MAX = 200;

export function snapshotRef(id: BlobId): RefName {
  return `${SNAPSHOTS}${id}` as RefName;
}

/** The ref of a tag name that a person typed. Throws `usage`. */
export function tagRef(name: string): RefName {
  const reason = tagNameFault(name);
  if (reason !== undefined) {
    throw new SnapError('usage', `${JSON.stringify(name)} is not a tag name: ${reason}`, {
      hint: 'Use letters, digits, ".", "_", "-" and "/", for example v1.2.0.',
    });
  }
  return `${TAGS}${name}` as RefName;
}

export function tagOfRef(ref: RefName): string | undefined {
  return ref.startsWith(TAGS) ? ref.slice(TAGS.length) : undefined;
}

export function snapshotOfRef(ref: RefName): BlobId | undefined {
  if (!ref.startsWith(SNAPSHOTS)) return undefined;
  const id = ref.slice(SNAPSHOTS.length);
  return isBlobId(id) ? id : undefined;
}

/** Checks a stored ref name. Throws `corrupt-data`. */
export function parseRefName(text: string, what: string): RefName {
  const ref = text as RefName;
  const tag = tagOfRef(ref);
  const valid = tag === undefined ? snapshotOfRef(ref) !== undefined : tagNameFault(tag) === undefined;
  if (!valid)
    throw new SnapError('corrupt-data', `damaged ${what}: ${JSON.stringify(text.slice(0, 80))} is not a ref name`);
  return ref;
}

function tagNameFault(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (Buffer.byteLength(name) > TAG_BYTES_MAX) return `it is longer than ${TAG_BYTES_MAX} bytes`;
  if (!/^[\p{L}\p{N}._/+@=-]+$/u.test(name)) return 'it has a space or a special character';
  if (name.startsWith('-')) return 'it begins with "-"';
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return 'it has an empty part, "." or ".."';
  if (name === 'HEAD' || name === 'latest' || name === '@') return 'that word has a meaning of its own';
  if (/^[0-9a-f]{4,64}$/.test(name)) return 'it looks like an id';
  if (name.normalize('NFC') !== name) return 'it is not in Unicode normal form C';
  return undefined;
}
