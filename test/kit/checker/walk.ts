/** Walks a snapshot's trees, parts and chunk lists, without recursion: a tree may be as deep as somebody likes. */
import { must, Unsound } from './bytes.ts';
import type { Store } from './store.ts';
import type { CheckedTreeEntry, ChunkRef } from './tree.ts';
import { sum } from './tree.ts';

export interface Walked {
  /** Path bytes as latin1. */
  readonly path: string;
  readonly entry: CheckedTreeEntry;
}

/**
 * All entries below a root tree, folders before what is in them, sorted by bytes within a folder. With `damaged`, a tree
 * that cannot be read is passed over; without, it throws.
 */
export function* walkTree(store: Store, root: string, damaged?: (prefix: string) => void): Generator<Walked> {
  const waiting: ({ tree: string; prefix: string; part: string | undefined } | Walked)[] = [
    { tree: root, prefix: '', part: undefined },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if ('entry' in next) {
      yield next;
      const { tree } = next.entry;
      if (tree !== undefined) waiting.push({ tree, prefix: `${next.path}/`, part: undefined });
      continue;
    }
    const { prefix, part } = next;
    const tree = damaged === undefined ? store.tree(next.tree) : orNothing(() => store.tree(next.tree));
    if (tree === undefined) {
      damaged?.(prefix);
      continue;
    }
    if ('parts' in tree) {
      must(part === undefined, 'a part that is a list of parts');
      for (const { tree: below, firstName } of tree.parts.toReversed())
        waiting.push({ tree: below, prefix, part: firstName });
    } else {
      must(part === undefined || tree.entries[0]?.name === part, 'a part with another first name');
      for (const entry of tree.entries.toReversed()) waiting.push({ path: prefix + entry.name, entry });
    }
  }
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Unsound)) throw error;
    return undefined;
  }
}

/** The chunks of a file, in order; lists are followed. */
export function* chunksOf(store: Store, { chunks, list, size }: CheckedTreeEntry): Generator<ChunkRef> {
  if (list === undefined) {
    yield* chunks;
    return;
  }
  const top = store.chunkList(list);
  must(sum(top.refs) === size, 'a chunk list that does not add up to the size of its file');
  const waiting = [{ list: top, at: 0 }];
  for (let last = waiting.at(-1); last !== undefined; last = waiting.at(-1)) {
    const ref = last.list.refs[last.at++];
    if (ref === undefined) waiting.pop();
    else if (last.list.level === 0) yield ref;
    else {
      const below = store.chunkList(ref.id);
      must(below.level === last.list.level - 1, 'a chunk list of another level');
      must(sum(below.refs) === ref.length, 'a chunk list that does not add up');
      waiting.push({ list: below, at: 0 });
    }
  }
}
