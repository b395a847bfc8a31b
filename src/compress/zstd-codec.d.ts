/**
 * The part of the package zstd-codec 0.1.5 that zstd.ts uses. Its heap is 16 MiB and cannot grow; a call that needs
 * more aborts the whole instance.
 */
declare module 'zstd-codec' {
  export interface ZstdCodecSimple {
    /** A standard frame that declares its content size; null when it fails. */
    compress(content: Uint8Array, level: number): Uint8Array | null;
    /** Null when it fails, also for a frame of no content. Takes as much memory as the frame declares. */
    decompress(frame: Uint8Array): Uint8Array | null;
  }

  export interface ZstdCodecInstance {
    readonly Simple: new () => ZstdCodecSimple;
  }

  export const ZstdCodec: { run(onReady: (instance: ZstdCodecInstance) => void): void };
}
