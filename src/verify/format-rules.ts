/**
 * The rules that hold between blobs, which each by itself cannot show: lengths of chunks, sizes of files, levels of
 * lists, names of parts. The readers check them where they follow a reference (repo/tree-reader.ts, pack/block.ts);
 * here they are checked of all that was marked, so that nothing is called whole which a reader refuses.
 */
import { hasCode } from '../errors.ts';
import type { BlobId, BlobKind } from '../object/blob-id.ts';
import { BLOB_KIND } from '../object/blob-id.ts';
import type { ListFacts } from '../object/chunk-list.ts';
import { decodeChunkList } from '../object/chunk-list.ts';
import { decodeTree } from '../object/tree.ts';
import type { ChunkRef, TreeEntry } from '../object/tree-entry.ts';
import { ENTRY_KIND } from '../object/tree-entry.ts';
import type { TreePart } from '../object/tree-parts.ts';
import { checkPart, decodeParts } from '../object/tree-parts.ts';
import type { Marker } from '../repo/mark.ts';
import type { PackTable } from '../repo/pack-table.ts';

/** So many claims about one list are compared with each other; a sound store has one. */
const COMPARED_MAX = 16;

/** First and last entry of a part: all that its list says anything about. */
type Ends = readonly TreeEntry[];

export class FormatRules {
  readonly #table: PackTable;
  readonly #broken: (number: number, reason: string) => void;
  readonly #lists = new Map<number, ListFacts>();
  /** By list: who said what of it before it was seen. */
  readonly #said = new Map<number, (ListFacts & { readonly holder: number })[]>();
  readonly #partLists: number[] = [];
  readonly #parts = new Map<number, Ends | undefined>();

  /** `broken` is told of each blob that breaks a rule, by its number in the table. */
  constructor(table: PackTable, broken: (number: number, reason: string) => void) {
    this.#table = table;
    this.#broken = broken;
  }

  /** Takes a blob as a Marker visits it. */
  take(kind: BlobKind, number: number, bytes: Buffer): void {
    this.#checking(number, () => {
      if (kind === BLOB_KIND.chunkList) this.#takeList(number, bytes);
      else if (kind === BLOB_KIND.tree) this.#takeTree(number, bytes);
    });
  }

  /** What can be told only when all was visited: the parts of large folders. */
  async finish(marker: Marker): Promise<void> {
    for (const number of this.#partLists) {
      const bytes = await marker.read(number);
      const parts = bytes === undefined ? [] : (decodeParts(bytes) ?? []);
      for (const [i, part] of parts.entries()) {
        const ends = await this.#endsOf(marker, part);
        if (ends !== undefined) this.#checking(number, () => checkPart(part, parts[i + 1], ends));
      }
    }
  }

  #takeTree(number: number, bytes: Buffer): void {
    if (decodeParts(bytes) !== undefined) {
      this.#partLists.push(number);
      return;
    }
    const entries = decodeTree(bytes);
    for (const entry of entries) {
      if (entry.kind !== ENTRY_KIND.file) continue;
      if ('chunks' in entry.content) this.#checkChunks(number, entry.content.chunks);
      else this.#expect(number, entry.content.list, { bytes: entry.size, level: undefined });
    }
  }

  #takeList(number: number, bytes: Buffer): void {
    const { level, refs } = decodeChunkList(bytes);
    const facts = { level, bytes: refs.reduce((sum, ref) => sum + ref.length, 0) };
    this.#lists.set(number, facts);
    for (const said of this.#said.get(number) ?? []) this.#compare(said.holder, said, facts, number);
    this.#said.delete(number);
    if (level === 0) this.#checkChunks(number, refs);
    else for (const ref of refs) this.#expect(number, ref.id, { bytes: ref.length, level: level - 1 });
  }

  #checkChunks(holder: number, chunks: readonly ChunkRef[]): void {
    for (const { id, length } of chunks) {
      const number = this.#table.findId(BLOB_KIND.data, id);
      const there = number < 0 ? length : this.#table.lengthOf(number);
      if (there !== length) this.#broken(holder, `it gives the chunk ${id} ${length} bytes where it has ${there}`);
    }
  }

  #expect(holder: number, list: BlobId, said: ListFacts): void {
    const number = this.#table.findId(BLOB_KIND.chunkList, list);
    if (number < 0) return;
    const facts = this.#lists.get(number);
    if (facts !== undefined) {
      this.#compare(holder, said, facts, number);
      return;
    }
    // The same is said by every tree that a file was in: one is enough. Where many say otherwise somebody made it so.
    const before = this.#said.get(number);
    if (before === undefined) this.#said.set(number, [{ ...said, holder }]);
    else if (
      before.length >= COMPARED_MAX ||
      !before.some(({ bytes, level }) => bytes === said.bytes && level === said.level)
    )
      before.push({ ...said, holder });
  }

  #compare(holder: number, said: ListFacts, facts: ListFacts, list: number): void {
    if (said.bytes === facts.bytes && (said.level === undefined || said.level === facts.level)) return;
    const what = (is: ListFacts): string =>
      `${is.bytes} bytes${said.level === undefined ? '' : ` of level ${is.level}`}`;
    this.#broken(holder, `it gives the list ${this.#table.idOf(list)} ${what(said)} where it has ${what(facts)}`);
  }

  /** Undefined for a part that cannot be read, which the walk has told. */
  async #endsOf(marker: Marker, part: TreePart): Promise<Ends | undefined> {
    const number = this.#table.findId(BLOB_KIND.tree, part.tree);
    if (number < 0) return undefined;
    if (this.#parts.has(number)) return this.#parts.get(number);
    const bytes = await marker.read(number);
    let ends: Ends | undefined;
    try {
      const entries = bytes === undefined ? undefined : decodeTree(bytes);
      ends = entries === undefined ? undefined : [...entries.slice(0, 1), ...entries.slice(1).slice(-1)];
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
      // A list of parts in the place of a part: it holds no entry of the names it is listed with.
      ends = [];
    }
    this.#parts.set(number, ends);
    return ends;
  }

  #checking(number: number, check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
      this.#broken(number, error.message);
    }
  }
}
