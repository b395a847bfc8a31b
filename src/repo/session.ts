/**
 * Sessions: small files in the store that say "a process reads or writes here". They spare readers and writers of one
 * machine a surprise: gc sweeps, and removes packs that no journal entry names, only when no session is alive. No
 * promise about data rests on them: the journal's numbers decide (SPEC.md "Garbage collection").
 */
import { ensureOwnFolder, folderOf, removeIfThere, removeQuietly, writeMarker } from '../disk/files.ts';
import type { Holder } from '../disk/lock-file.ts';
import { isAlive, readHolder } from '../disk/lock-file.ts';
import { describing, hasCode } from '../errors.ts';
import type { Backend } from '../storage/backend.ts';
import type { Environment } from './environment.ts';
import { SESSIONS, sessionName } from './layout.ts';
import { isReadOnly } from './open-index.ts';

export interface Session {
  end(): void;
}

const NONE: Session = { end: () => undefined };

/**
 * Begins a session on a local store; on stores elsewhere, and where this user may not write, there is none. Throws
 * `no-space`.
 */
export function beginSession(environment: Environment, backend: Backend): Session {
  const name = sessionName(environment.uniqueName());
  const path = backend.localPath(name);
  if (path === undefined) return NONE;
  const { disk } = environment;
  try {
    describing('writing', path, () => {
      backend.changeablePath(name);
      ensureOwnFolder(disk, folderOf(path), backend.location);
      // Whole at once: one that cannot be read is taken for a dead one.
      const temporary = `${backend.stagingFolder()}/${environment.uniqueName()}`;
      writeMarker(disk, temporary, Buffer.from(JSON.stringify(environment.holder)));
      disk.rename(temporary, path);
    });
  } catch (error) {
    // Reading a store that cannot be written is fine; nobody collects garbage there as this user.
    if (!isReadOnly(error)) throw error;
    return NONE;
  }
  return { end: () => removeQuietly(disk, path) };
}

/** As `beginSession`, for who only reads: on a full disk there is none, and reading goes on. */
export function beginReading(environment: Environment, backend: Backend): Session {
  try {
    return beginSession(environment, backend);
  } catch (error) {
    if (!hasCode(error, 'no-space')) throw error;
    return NONE;
  }
}

/** Who has a session, and its file. */
export interface LiveSession extends Holder {
  readonly path: string;
}

/** Sessions of other living processes. Removes those of dead ones. Throws `refused` where a link leads to them. */
export function liveSessions(environment: Environment, backend: Backend): LiveSession[] {
  const folder = backend.localPath(SESSIONS);
  const { disk } = environment;
  if (folder === undefined) return [];
  return describing('reading', folder, () => {
    const alive: LiveSession[] = [];
    // What a link leads to is nobody's session, and would be removed as that of a dead one.
    backend.changeablePath(sessionName(environment.holder.id));
    for (const name of disk.lstat(folder)?.isDirectory() === true ? disk.list(folder) : []) {
      if (!name.endsWith('.json') || disk.lstat(`${folder}/${name}`)?.isFile() !== true) continue;
      const path = `${folder}/${name}`;
      const holder = readHolder(disk, path);
      if (holder === undefined || holder.id === environment.holder.id) continue;
      if (isAlive(disk, holder, environment.holder)) alive.push({ ...holder, path });
      else removeIfThere(disk, path);
    }
    return alive;
  });
}
