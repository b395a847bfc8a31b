/**
 * Frees the memory behind a byte array at once, instead of when the garbage collector gets to it: blocks of a megabyte
 * made by the thousand would pile up to hundreds of megabytes in between (measured: 615 against 300 MB). The array and
 * every view of the same buffer are empty afterwards. Does nothing where the runtime cannot (Node 20).
 */
export function release(bytes: Uint8Array): void {
  const buffer: ArrayBufferLike & { transfer?: (length: number) => ArrayBuffer } = bytes.buffer;
  // Small ones may lie in a pool that Node shares among buffers.
  if (buffer.byteLength > 128 * 1024) buffer.transfer?.(0);
}
