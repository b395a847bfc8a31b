/**
 * A `.snap` folder of which config.toml was lost: from what is left in it and from the store, which workspace of which
 * store it was. SPEC.md "Lost settings".
 */
import { shellWord } from '../bytes/printable.ts';
import type { Disk } from '../disk/disk.ts';
import { readRegular } from '../disk/files.ts';
import { hasCode, SnapError } from '../errors.ts';
import type { BlobId } from '../object/blob-id.ts';
import type { Backend } from '../storage/backend.ts';
import type { Head } from './head.ts';
import { headAfter, readHead } from './head.ts';
import { readEntryIfWhole, requireSeen } from './journal.ts';
import { readState } from './journal-base.ts';
import { STORE_CONFIG, snapFolder, WORKSPACE } from './layout.ts';
import { decodeCopy } from './open-store-config.ts';
import type { Place } from './place.ts';
import { readPlace } from './place.ts';
import { decodeStoreConfig } from './store-config.ts';

export interface FormerWorkspace {
  readonly root: string;
  /** Undefined if the copy of the store's configuration was lost, too. */
  readonly storeId: string | undefined;
  readonly place: Place | undefined;
  readonly head: Head;
}

/** What is left of the workspace at `root`; undefined if there was none, or only one that never opened its store. */
export function readFormer(disk: Disk, root: string): FormerWorkspace | undefined {
  const folder = snapFolder(root);
  const left = [WORKSPACE.storeConfig, WORKSPACE.head, WORKSPACE.place];
  if (left.every((name) => disk.lstat(`${folder}/${name}`) === undefined)) return undefined;
  const copy = readRegular(disk, `${folder}/${WORKSPACE.storeConfig}`);
  return {
    root,
    storeId: copy === undefined ? undefined : idIn(copy),
    place: readPlace(disk, root),
    head: readHead(disk, folder),
  };
}

/** Throws `refused` unless `backend` is the store that it was a workspace of; undefined: a new store is to be made. */
export async function requireItsStore(former: FormerWorkspace, backend: Backend | undefined): Promise<void> {
  const { root, storeId, place, head } = former;
  const bytes = await backend?.get(STORE_CONFIG);
  if (backend !== undefined && bytes !== undefined) {
    const { id } = decodeStoreConfig(bytes);
    if (storeId !== undefined ? id === storeId : await mayHaveSeen(backend, head)) return;
  }
  const itsStore = `the store ${[place?.store, storeId && `(id ${storeId})`].filter(Boolean).join(' ') || 'it was made with'}`;
  const shown = snapFolder(root);
  throw new SnapError(
    'refused',
    backend === undefined
      ? `${shown} belongs to a workspace of ${itsStore}, and has lost its config.toml`
      : `${backend.location} is not ${itsStore}, of which ${shown} was a workspace`,
    {
      hint:
        (place?.store === undefined
          ? '`snap init --store <path>`, with the path where that store is (its config.json has the id), makes it that workspace again.'
          : `\`snap init --store ${shellWord(place.store)}\` makes it that workspace again; give another path if that store was moved.`) +
        ` For a new workspace without this history move ${shown} away first.`,
      context: { storeId, store: place?.store },
    },
  );
}

/**
 * The id of that workspace: as it was noted, or that of the only one whose HEAD, as the journal has it, is the one that
 * is left; undefined if that is none or several.
 */
export async function formerId({ place, head }: FormerWorkspace, backend: Backend): Promise<string | undefined> {
  if (place?.workspace !== undefined) return place.workspace;
  if (head.snapshot === null) return undefined;
  const heads = new Map<string, BlobId | null>();
  for (let number = 1; number <= head.journalNumber; number++) {
    const entry = (await readEntryIfWhole(backend, number))?.entry;
    if (entry === undefined) return undefined;
    if (entry.workspace !== null && !heads.has(entry.workspace)) heads.set(entry.workspace, null);
    for (const [id, snapshot] of heads) heads.set(id, headAfter(snapshot, entry, id));
  }
  const found = [...heads].filter(([, snapshot]) => snapshot === head.snapshot);
  return found.length === 1 ? found[0]?.[0] : undefined;
}

/** The workspace that last used a store of its own. */
export async function lastUser(backend: Backend): Promise<string | undefined> {
  const { state } = await readState(backend);
  for (let number = state.number; number > 0; number--) {
    const workspace = (await readEntryIfWhole(backend, number))?.entry.workspace;
    if (typeof workspace === 'string') return workspace;
  }
  return undefined;
}

function idIn(bytes: Buffer): string | undefined {
  try {
    const config = decodeCopy(bytes);
    return config === undefined ? undefined : decodeStoreConfig(config).id;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data', 'unsupported-format')) throw error;
    return undefined;
  }
}

async function mayHaveSeen(backend: Backend, { journalNumber, journalHash }: Head): Promise<boolean> {
  if (journalHash === undefined) return true;
  try {
    await requireSeen(backend, journalNumber, journalHash);
    return true;
  } catch (error) {
    if (!hasCode(error, 'corrupt-data')) throw error;
    return false;
  }
}
