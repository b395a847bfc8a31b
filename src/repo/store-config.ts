/**
 * `config.json` of a store: written once, by init. Unknown versions, fields and features are refused, so that an older
 * program never works on a store it does not understand. SPEC.md "Store configuration".
 */
import { decodeCanonicalJson, encodeCanonicalJson } from '../bytes/canonical-json.ts';
import { Fields } from '../bytes/fields.ts';
import type { ChunkParams } from '../chunk/chunk-params.ts';
import { checkChunkParams } from '../chunk/chunk-params.ts';
import { hasCode, SnapError } from '../errors.ts';

const STORE_FORMAT = 1;

export interface StoreConfig {
  /** 32 random hex digits. */
  readonly id: string;
  readonly chunker: ChunkParams;
  /** A pack is closed once it is at least this large. */
  readonly packBytes: number;
}

export const DEFAULT_PACK_BYTES = 32 * 1024 * 1024;

export function encodeStoreConfig(config: StoreConfig): Buffer {
  return encodeCanonicalJson({
    chunker: {
      averageBytes: config.chunker.averageBytes,
      kind: 'gear-1',
      maxBytes: config.chunker.maxBytes,
      minBytes: config.chunker.minBytes,
    },
    features: [],
    format: STORE_FORMAT,
    id: config.id,
    packBytes: config.packBytes,
  });
}

/** `path`: for people. Throws `corrupt-data` or `unsupported-format`. */
export function decodeStoreConfig(bytes: Uint8Array, path = 'store configuration'): StoreConfig {
  try {
    return decode(bytes, path);
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    throw new SnapError('corrupt-data', error.message, {
      hint: 'Packs and journal are not affected. Put it back from a copy of the store, or run `snap repair` in a workspace that has used this store before.',
      cause: error,
    });
  }
}

function decode(bytes: Uint8Array, what: string): StoreConfig {
  const hint = { hint: 'It was made by a newer version of snap; update this one.' };
  const fields = new Fields(decodeCanonicalJson(bytes, what), what);
  const format = fields.count('format');
  if (format !== STORE_FORMAT)
    throw new SnapError(
      'unsupported-format',
      `the store has format ${format}; this program knows format ${STORE_FORMAT}`,
      hint,
    );
  const features = fields.texts('features');
  if (features.length > 0)
    throw new SnapError(
      'unsupported-format',
      `the store uses features this program does not know: ${features.join(', ')}`,
      hint,
    );
  const id = fields.randomId('id');
  const chunker = fields.fields('chunker');
  if (chunker.text('kind') !== 'gear-1')
    throw new SnapError('unsupported-format', 'the store uses an unknown chunker', hint);
  const params = checkChunkParams({
    averageBytes: chunker.count('averageBytes'),
    maxBytes: chunker.count('maxBytes'),
    minBytes: chunker.count('minBytes'),
  });
  chunker.done();
  const packBytes = fields.count('packBytes');
  if (packBytes < 1024 || packBytes > 1024 ** 3) fields.fail('packBytes');
  fields.done();
  return { id, chunker: params, packBytes };
}
