/**
 * Ids and kinds of blobs. A blob's id is the SHA-256 of its bytes in lower-case hex (FIPS 180-4); the kind is part of
 * the key wherever a blob is looked up, so bytes of one kind never pass for another. SPEC.md "Blobs".
 */
import { hash } from 'node:crypto';
import { SnapError } from '../errors.ts';

export type BlobId = string & { readonly __brand: 'BlobId' };

/** Frozen numbers: they are stored in packs. */
export const BLOB_KIND = { data: 1, chunkList: 2, tree: 3, snapshot: 4 } as const;
export type BlobKind = (typeof BLOB_KIND)[keyof typeof BLOB_KIND];

/** The id of a blob with these bytes. */
export function blobIdOf(bytes: Uint8Array): BlobId {
  return hash('sha256', bytes, 'hex') as BlobId;
}

/** Checks that `text` is a full id. Throws `corrupt-data`. */
export function parseBlobId(text: string, what: string): BlobId {
  if (!isBlobId(text)) throw new SnapError('corrupt-data', `damaged ${what}: "${text.slice(0, 80)}" is not an id`);
  return text;
}

export function isBlobId(text: string): text is BlobId {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Checks a stored kind number. Throws `unsupported-format`. */
export function parseBlobKind(value: number, what: string): BlobKind {
  if (value === 1 || value === 2 || value === 3 || value === 4) return value;
  throw new SnapError('unsupported-format', `${what} has a blob of the unknown kind ${value}`, {
    hint: 'It was written by a newer version of snap; update this one.',
  });
}

const KIND_NAMES = { 1: 'data', 2: 'chunk list', 3: 'tree', 4: 'snapshot' } as const;

/** The kind in words, for messages. */
export function blobKindName(kind: BlobKind): string {
  return KIND_NAMES[kind];
}

/** How many hex digits of an id are shown to people. */
const SHORT_ID_DIGITS = 10;

export function shortId(id: string): string {
  return id.slice(0, SHORT_ID_DIGITS);
}
