/** Kinds of damage to packs, and a picture of a store, byte for byte. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { flipBit } from './damage.ts';

/** Every file of a store with the hash of its bytes; locks are left out. */
export function storeHashes(store: string): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const name of readdirSync(store, { recursive: true, encoding: 'utf8' }).sort()) {
    if (name.startsWith('locks') || statSync(join(store, name)).isDirectory()) continue;
    hashes.set(
      name,
      createHash('sha256')
        .update(readFileSync(join(store, name)))
        .digest('hex'),
    );
  }
  return hashes;
}

export interface Damage {
  readonly name: string;
  /** `packs`: paths, the largest first; the largest is harmed. */
  readonly harm: (packs: readonly string[]) => void;
  /** True if everything can be read from the damaged packs alone. */
  readonly salvaged: boolean;
}

const sizeOf = (path: string | undefined): number => statSync(path ?? '').size;
const change = (path: string | undefined, work: (bytes: Buffer) => Buffer): void =>
  writeFileSync(path ?? '', work(readFileSync(path ?? '')));
const footerStart = (path: string | undefined): number => {
  const bytes = readFileSync(path ?? '');
  return bytes.length - 48 - bytes.readUInt32LE(bytes.length - 48);
};

export const DAMAGES: readonly Damage[] = [
  { name: "a byte of the pack's header", harm: ([p]) => flipBit(p ?? '', 3), salvaged: true },
  { name: "a byte of the pack's id", harm: ([p]) => flipBit(p ?? '', 20), salvaged: true },
  { name: "the mark of a block's header", harm: ([p]) => flipBit(p ?? '', 33), salvaged: true },
  { name: "a length in a block's header", harm: ([p]) => flipBit(p ?? '', 32 + 13), salvaged: true },
  { name: "the CRC of a block's header", harm: ([p]) => flipBit(p ?? '', 32 + 22), salvaged: true },
  { name: 'a byte of a blob', harm: ([p]) => flipBit(p ?? '', 32 + 24 + 1000), salvaged: false },
  { name: 'a byte of the footer', harm: ([p]) => flipBit(p ?? '', footerStart(p) + 5), salvaged: true },
  { name: 'the length in the trailer', harm: ([p]) => flipBit(p ?? '', sizeOf(p) - 48), salvaged: true },
  { name: 'the hash in the trailer', harm: ([p]) => flipBit(p ?? '', sizeOf(p) - 30), salvaged: true },
  { name: 'the mark of the trailer', harm: ([p]) => flipBit(p ?? '', sizeOf(p) - 1), salvaged: true },
  { name: 'the trailer cut off', harm: ([p]) => truncateSync(p ?? '', sizeOf(p) - 48), salvaged: true },
  { name: 'the footer cut off', harm: ([p]) => truncateSync(p ?? '', footerStart(p)), salvaged: true },
  {
    name: 'half of the pack cut off',
    harm: ([p]) => truncateSync(p ?? '', Math.floor(sizeOf(p) / 2)),
    salvaged: false,
  },
  { name: 'nothing but a byte left', harm: ([p]) => truncateSync(p ?? '', 1), salvaged: false },
  { name: 'an empty file', harm: ([p]) => truncateSync(p ?? '', 0), salvaged: false },
  { name: 'a pack of zeros', harm: ([p]) => change(p, (bytes) => Buffer.alloc(bytes.length)), salvaged: false },
  {
    name: 'a sector of zeros',
    harm: ([p]) => change(p, (bytes) => bytes.fill(0, 512 * 40, 512 * 41)),
    salvaged: false,
  },
  { name: 'a lost pack', harm: ([p]) => rmSync(p ?? ''), salvaged: false },
  {
    name: 'bytes appended',
    harm: ([p]) => change(p, (bytes) => Buffer.concat([bytes, Buffer.from('SNAPFOOT and more')])),
    salvaged: true,
  },
  { name: 'the front cut off', harm: ([p]) => change(p, (bytes) => bytes.subarray(32)), salvaged: true },
  {
    name: 'two packs swapped',
    harm: ([a = '', b = '']) => {
      renameSync(a, `${a}.x`);
      renameSync(b, a);
      renameSync(`${a}.x`, b);
    },
    salvaged: true,
  },
  {
    name: 'one pack in the place of another',
    harm: ([a, b]) => writeFileSync(a ?? '', readFileSync(b ?? '')),
    salvaged: false,
  },
  {
    name: 'header and footer of every pack',
    harm: (packs) => {
      for (const path of packs) {
        flipBit(path, 9);
        flipBit(path, footerStart(path) + 1);
      }
    },
    salvaged: true,
  },
];
