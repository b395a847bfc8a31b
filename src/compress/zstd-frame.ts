/**
 * Reads the outline of one zstd frame (RFC 8878, 3.1.1) without decoding it.
 * Invariants: a frame that passes is whole (its blocks end where the bytes end, nothing follows), declares its content
 * size, needs no dictionary, and cannot decode to more than 128 KiB a block: so a false size is refused before any
 * memory is taken for it. What the blocks hold is the decoder's to judge.
 */
import { SnapError } from '../errors.ts';

export interface ZstdFrame {
  readonly contentBytes: number;
  readonly windowBytes: number;
  readonly blockCount: number;
}

const magic = 0xfd2fb528;
const zstdBlockBytesMax = 128 * 1024;
/** What RFC 8878 asks every decoder to support; our encoders never exceed it. */
const windowBytesMax = 8 * 1024 * 1024;
const rleBlock = 1;
const reservedBlock = 3;

/** Throws 'corrupt-data' unless `bytes` is exactly one such frame. */
export function readZstdFrame(bytes: Uint8Array): ZstdFrame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(view);
  const { blockCount, end } = skipBlocks(view, header.end);
  if (end + header.checksumBytes !== bytes.length) throw corrupt('is cut off or followed by other bytes');
  if (header.contentBytes > blockCount * zstdBlockBytesMax) throw corrupt('declares more content than it can hold');
  return { contentBytes: header.contentBytes, windowBytes: header.windowBytes, blockCount };
}

interface FrameHeader {
  readonly contentBytes: number;
  readonly windowBytes: number;
  readonly checksumBytes: number;
  readonly end: number;
}

function readHeader(view: DataView): FrameHeader {
  if (view.byteLength < 6) throw corrupt('is too short');
  if (view.getUint32(0, true) !== magic) throw corrupt('does not start with the zstd magic number');
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw corrupt('has a reserved bit set');
  if ((descriptor & 0x03) !== 0) throw corrupt('names a dictionary');

  const sizeAt = singleSegment ? 5 : 6;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  if (sizeBytes === 0) throw corrupt('does not declare its content size');
  if (view.byteLength < sizeAt + sizeBytes) throw corrupt('is too short');
  const contentBytes = readContentSize(view, sizeAt, sizeBytes);
  const windowBytes = singleSegment ? contentBytes : readWindowSize(view.getUint8(5));
  if (windowBytes > Math.max(windowBytesMax, contentBytes)) throw corrupt('wants too large a window');
  const checksumBytes = (descriptor & 0x04) === 0 ? 0 : 4;
  return { contentBytes, windowBytes, checksumBytes, end: sizeAt + sizeBytes };
}

function readContentSize(view: DataView, offset: number, sizeBytes: number): number {
  if (sizeBytes === 1) return view.getUint8(offset);
  if (sizeBytes === 2) return view.getUint16(offset, true) + 256;
  if (sizeBytes === 4) return view.getUint32(offset, true);
  return Number(view.getBigUint64(offset, true));
}

function readWindowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

function skipBlocks(view: DataView, start: number): { blockCount: number; end: number } {
  let offset = start;
  for (let blockCount = 1; ; blockCount++) {
    if (offset + 3 > view.byteLength) throw corrupt('is cut off');
    const header = view.getUint16(offset, true) | (view.getUint8(offset + 2) << 16);
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    if (type === reservedBlock || size > zstdBlockBytesMax) throw corrupt('has a malformed block');
    offset += 3 + (type === rleBlock ? 1 : size);
    if ((header & 1) === 1) return { blockCount, end: offset };
  }
}

function corrupt(problem: string): SnapError {
  return new SnapError('corrupt-data', `a compressed block ${problem}`);
}
