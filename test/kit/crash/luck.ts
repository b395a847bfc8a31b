/** The kinds of luck that a power loss can have: which unsafe names and bytes made it to the medium. */
import type { CrashModel, Luck } from './crash-model.ts';
import { written } from './crash-model.ts';

const now: Luck['bytes'] = ({ safe, unsafe }) => written(safe, unsafe);
const safe: Luck['bytes'] = (file) => file.safe;

/** All the plain ones for the state of the model, and `count` random ones. */
export function* lucks(model: CrashModel, random: () => number, count: number): Generator<Luck> {
  yield { name: 'all kept', keepsName: () => true, bytes: now };
  const last = model.lastWriteBytes;
  if (last !== undefined) {
    const sizes = new Set([0, 1, Math.floor(last / 2), last - 1, 512, 4096].filter((size) => size < last));
    for (const size of sizes) yield torn(`the last write torn after ${size} bytes`, size);
  }
  if (model.unsafeCount === 0) return;
  yield { name: 'all lost', keepsName: () => false, bytes: safe };
  yield { name: 'names kept, bytes lost', keepsName: () => true, bytes: safe };
  yield {
    name: 'names kept, bytes zero',
    keepsName: () => true,
    bytes: (file) => {
      const bytes = Buffer.alloc(now(file, false).length);
      file.safe.copy(bytes);
      return bytes;
    },
  };
  yield { name: 'bytes kept, names lost', keepsName: () => false, bytes: now };
  for (let i = 0; i < count; i++) yield randomLuck(`random ${i}`, random);
}

function torn(name: string, size: number): Luck {
  return {
    name,
    keepsName: () => true,
    bytes: (file, isLast) => {
      const last = file.unsafe.at(-1);
      if (!isLast || last === undefined || !('bytes' in last)) return now(file, false);
      const cut = { position: last.position, bytes: last.bytes.subarray(0, size) };
      return written(file.safe, [...file.unsafe.slice(0, -1), cut]);
    },
  };
}

/** Each name by itself; of each file some writes, some of them torn, some as zeros or garbage of the right length. */
function randomLuck(name: string, random: () => number): Luck {
  const kept = new Map<number, boolean>();
  const bytes = new Map<object, Buffer>();
  const share = random();
  return {
    name,
    keepsName: (index) => {
      const known = kept.get(index) ?? random() < share;
      kept.set(index, known);
      return known;
    },
    bytes: (file) => {
      const known = bytes.get(file) ?? someOf(file, random);
      bytes.set(file, known);
      return known;
    },
  };
}

function someOf(file: Parameters<Luck['bytes']>[0], random: () => number): Buffer {
  const ops = [];
  for (const op of file.unsafe) {
    const dice = random();
    if (!('bytes' in op)) {
      if (dice < 0.5) ops.push(op);
    } else if (dice < 0.4) ops.push(op);
    else if (dice < 0.6)
      ops.push({ position: op.position, bytes: op.bytes.subarray(0, Math.floor(random() * op.bytes.length)) });
    else if (dice < 0.7) ops.push({ position: op.position, bytes: Buffer.alloc(op.bytes.length) });
    else if (dice < 0.8)
      ops.push({ position: op.position, bytes: Buffer.from(op.bytes.map(() => Math.floor(random() * 256))) });
  }
  return written(file.safe, ops);
}
