/**
 * Which packs go: dead ones; ones of which much is dead, and many small ones, whose live blobs move to new packs. Pure:
 * decided from the table and its marks.
 */

import type { PackId } from '../object/pack-id.ts';
import type { BitSet } from '../repo/bit-set.ts';
import type { PackTable, TablePack } from '../repo/pack-table.ts';

/** A pack of which this share of the bytes is dead is written anew without them. */
const DEAD_SHARE_MIN = 0.25;
/** More packs than this that are under this share of a full one are put together. */
const SMALL_PACKS_MAX = 8;
const SMALL_PACK_SHARE = 1 / 8;

export interface PackUse {
  readonly pack: TablePack;
  /** Blobs that are needed and whose chosen copy is here, and the bytes they take. */
  readonly liveBlobs: number;
  readonly liveBytes: number;
}

export interface CondemnPlan {
  /** To be condemned as they are. */
  readonly dead: readonly PackUse[];
  /** To be condemned once their live blobs are in new packs. */
  readonly rewritten: readonly PackUse[];
  /** Condemned before, and needed again: their live blobs move too. */
  readonly revived: readonly PackUse[];
  readonly kept: readonly PackUse[];
  /** About what all packs take once the condemned ones are swept. */
  readonly bytesAfter: number;
}

export interface PlanLimits {
  /** Size of a full pack. */
  readonly packBytes: number;
  /** Rewrite more packs, those with the most dead bytes first, until this many bytes remain. */
  readonly targetBytes: number | undefined;
}

export function planCondemn(
  table: PackTable,
  marked: BitSet,
  condemned: ReadonlySet<PackId>,
  limits: PlanLimits,
): CondemnPlan {
  const uses = packUses(table, marked);
  const dead: PackUse[] = [];
  const revived: PackUse[] = [];
  const rewritten = new Set<PackUse>();
  const rest: PackUse[] = [];
  for (const use of uses) {
    if (condemned.has(use.pack.id)) {
      if (use.liveBlobs > 0) revived.push(use);
    } else if (use.liveBlobs === 0) dead.push(use);
    else if (deadBytes(use) >= use.pack.size * DEAD_SHARE_MIN) rewritten.add(use);
    else rest.push(use);
  }
  const small = rest.filter((use) => use.pack.size < limits.packBytes * SMALL_PACK_SHARE);
  if (small.length > SMALL_PACKS_MAX) for (const use of small) rewritten.add(use);
  let bytesAfter = 0;
  for (const use of [...rewritten, ...revived]) bytesAfter += use.liveBytes;
  for (const use of rest) if (!rewritten.has(use)) bytesAfter += use.pack.size;
  if (limits.targetBytes !== undefined) {
    for (const use of rest
      .filter((candidate) => !rewritten.has(candidate))
      .sort((a, b) => deadBytes(b) - deadBytes(a))) {
      if (bytesAfter <= limits.targetBytes || deadBytes(use) < 1) break;
      rewritten.add(use);
      bytesAfter -= deadBytes(use);
    }
  }
  const inOrder = uses.filter((use) => rewritten.has(use));
  return { dead, rewritten: inOrder, revived, kept: rest.filter((use) => !rewritten.has(use)), bytesAfter };
}

function packUses(table: PackTable, marked: BitSet): PackUse[] {
  return table.packs.map((pack) => {
    let liveBlobs = 0;
    let liveBytes = 0;
    for (let number = pack.first; number < pack.first + pack.count; number++) {
      if (!marked.has(number)) continue;
      liveBlobs++;
      liveBytes += table.storedShare(number);
    }
    return { pack, liveBlobs, liveBytes };
  });
}

function deadBytes(use: PackUse): number {
  return use.pack.size - use.liveBytes;
}
