/** One zstd frame by SPEC.md "Compression": its outline is checked, then the runtime's zstd (or the portable one) decodes it. */
import zlib from 'node:zlib';
import { must, Unsound } from './bytes.ts';

type Decode = (payload: Buffer) => Uint8Array | null;

const decode: Decode =
  typeof zlib.zstdDecompressSync === 'function' ? (payload) => zlib.zstdDecompressSync(payload) : await portable();

export function decodeFrame(payload: Buffer, rawLength: number): Buffer {
  checkOutline(payload, rawLength);
  let raw: Uint8Array | null;
  try {
    raw = decode(payload);
  } catch (error) {
    throw new Unsound(`zstd: ${String(error)}`);
  }
  must(raw !== null && raw.length === rawLength, 'a frame decodes to another length');
  return Buffer.from(raw.buffer, raw.byteOffset, raw.length);
}

/** RFC 8878, 3.1.1. */
function checkOutline(frame: Buffer, rawLength: number): void {
  must(frame.length >= 6 && frame.readUInt32LE(0) === 0xfd2fb528, 'no zstd frame');
  const descriptor = frame.readUInt8(4);
  must((descriptor & 0b1011) === 0, 'a zstd frame with a dictionary or a reserved bit');
  const isSingle = (descriptor & 32) !== 0;
  let at = isSingle ? 5 : 6;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
  must(sizeBytes > 0 && frame.length >= at + sizeBytes, 'a zstd frame without a content size');
  const declared =
    sizeBytes === 8 ? Number(frame.readBigUInt64LE(at)) : frame.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  must(declared === rawLength, 'a zstd frame of another content size');
  const window = frame.readUInt8(5);
  if (!isSingle) must(2 ** (10 + (window >>> 3)) * (1 + (window & 7) / 8) <= 8 * 2 ** 20, 'a zstd window too large');
  at += sizeBytes;
  for (let isLast = false; !isLast; ) {
    must(at + 3 <= frame.length, 'a zstd frame that is cut off');
    const header = frame.readUIntLE(at, 3);
    const type = (header >>> 1) & 3;
    must(type !== 3 && header >>> 3 <= 131_072, 'a bad zstd block');
    isLast = (header & 1) === 1;
    at += 3 + (type === 1 ? 1 : header >>> 3);
  }
  must(at + ((descriptor & 4) === 0 ? 0 : 4) === frame.length, 'a zstd frame that does not end with its payload');
}

/** For Node before 22.15. */
async function portable(): Promise<Decode> {
  const { ZstdCodec } = (await import('zstd-codec')) as unknown as {
    ZstdCodec: { run(use: (zstd: Zstd) => void): void };
  };
  return new Promise((resolve) => {
    ZstdCodec.run((zstd) => {
      const simple = new zstd.Simple();
      resolve((payload) => simple.decompress(payload));
    });
  });
}

interface Zstd {
  readonly Simple: new () => { decompress(bytes: Uint8Array): Uint8Array | null };
}
