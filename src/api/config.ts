/**
 * Settings from outside. Works on the file alone, without opening the store: a broken file must not keep anyone from
 * mending it. A change is parsed again as a whole before it replaces the file, and never overwrites another one's.
 */
import { folderOf, readWhole, removeIfThere, replaceFile } from '../disk/files.ts';
import { tryLock } from '../disk/lock-file.ts';
import { utf8Path } from '../disk/utf8-path.ts';
import { processEnvironment } from '../environment.ts';
import { fromSystemError, SnapError } from '../errors.ts';
import type { Environment } from '../repo/environment.ts';
import { STORE_REASON, whySnapsOwn } from '../repo/is-store.ts';
import { snapFolder, WORKSPACE } from '../repo/layout.ts';
import { lockedBy } from '../repo/lock-holder.ts';
import { ownedEnvironment } from '../repo/owned-environment.ts';
import { storePathOf } from '../repo/place.ts';
import { findWorkspace } from '../repo/repository.ts';
import type { SettingKey } from '../repo/settings.ts';
import { parseSettingKey, parseSettings, parseSettingTexts, settingKeys, settingKind } from '../repo/settings.ts';
import { readSettingsText } from '../repo/settings-file.ts';
import type { SettingValue } from '../repo/settings-text.ts';
import { editSetting, settingLine } from '../repo/settings-text.ts';

const LOCK_WAIT_MS = 5_000;
const LOCK_POLL_MS = 20;

export interface ListedSetting {
  readonly key: SettingKey;
  /** What holds: from the file, or the default; undefined for neither. */
  readonly value: SettingValue | undefined;
  readonly isSet: boolean;
  /** File and line; undefined for a default. */
  readonly origin: string | undefined;
  readonly help: string;
  readonly initial: SettingValue | undefined;
}

export interface Config {
  /** Absolute path of the file. */
  readonly path: string;
  /** Every key there is. Throws `usage` for a broken file, as all but `edit` do. */
  list(): ListedSetting[];
  get(key: string): ListedSetting;
  /** Sets a key to what a person typed; lists take several texts. Throws `usage`, `refused`. */
  set(key: string, texts: readonly string[]): Promise<SettingValue>;
  /** False if it was not set. */
  unset(key: string): Promise<boolean>;
  /**
   * Gives a copy of the file to `change`, then checks it and puts it in the file's place; returns whether anything
   * changed. If it does not parse, the copy stays and the error's hint names it. Throws `usage`, `conflict`.
   */
  edit(change: (copy: string) => Promise<void>): Promise<boolean>;
}

/** The settings of the workspace that the absolute path `folder` lies in. Throws `no-workspace`. */
export function openConfig(folder: string): Config {
  const outside = processEnvironment('snap config');
  const root = findWorkspace(outside, folder);
  const own = snapFolder(root);
  const environment = ownedEnvironment(outside, [own]);
  const path = `${own}/${WORKSPACE.config}`;
  const read = (): string => readText(environment, path);
  const list = (): ListedSetting[] => listed(read(), path, root);
  return {
    path,
    list,
    get: (key) => {
      const known = parseSettingKey(key);
      const found = list().find((setting) => setting.key === known);
      if (found === undefined) throw new SnapError('internal', `the setting ${known} is not listed`);
      return found;
    },
    set: async (key, texts) => {
      const known = changeableKey(key);
      const value = parseSettingTexts(known, texts);
      await withLock(environment, path, () => replaceSetting(environment, own, path, read(), known, value));
      return value;
    },
    unset: async (key) => {
      const known = changeableKey(key);
      return withLock(environment, path, () => {
        const before = read();
        replaceSetting(environment, own, path, before, known, null);
        return read() !== before;
      });
    },
    edit: (change) => editFile(environment, own, path, change),
  };
}

function listed(text: string, path: string, root: string): ListedSetting[] {
  const settings = parseSettings(text, path);
  return settingKeys().map((key) => {
    const kind = settingKind(key);
    const initial = key === 'workspace.name' ? root.slice(root.lastIndexOf('/') + 1) : kind.initial;
    const isSet = settings.has(key);
    return {
      key,
      value: settings.get(key) ?? initial,
      isSet,
      origin: isSet ? `${path}:${settingLine(text, key)}` : undefined,
      help: kind.help,
      initial,
    };
  });
}

function changeableKey(key: string): SettingKey {
  const known = parseSettingKey(key);
  if (known === 'workspace.id')
    throw new SnapError(
      'refused',
      'workspace.id is the identity of this workspace: its snapshots would no longer be found by it',
      { hint: 'Set workspace.name to give it another name.' },
    );
  return known;
}

/** Changes one key and checks that the file then says what was asked, and nothing else than before. Throws `refused`. */
function replaceSetting(
  environment: Environment,
  folder: string,
  path: string,
  before: string,
  key: SettingKey,
  value: SettingValue | null,
): void {
  const after = editSetting(before, key, value);
  if (after === before) return;
  const settings = parseSettings(after, path);
  if (JSON.stringify(settings.get(key) ?? null) !== JSON.stringify(value)) {
    throw new SnapError(
      'internal',
      `${path} could not be changed: ${key} is written in a way that snap does not understand`,
      { hint: 'Use `snap config edit`, and please report this.' },
    );
  }
  if (key === 'store.path') requireStore(environment, folder, storePathOf(folderOf(folder), settings));
  replaceText(environment, folder, path, after);
}

/** Without its store a workspace is cut off from its history. */
function requireStore({ disk }: Environment, folder: string, path: string): void {
  if (whySnapsOwn(disk, folder, (name) => `${path}/${name}`) === STORE_REASON) return;
  throw new SnapError('refused', `there is no store of snap at ${path}`, {
    hint: 'Move or mount the store there first; `snap config edit` takes a path where none is yet.',
  });
}

async function editFile(
  environment: Environment,
  folder: string,
  path: string,
  change: (copy: string) => Promise<void>,
): Promise<boolean> {
  const before = readText(environment, path);
  const name = `config-${environment.uniqueName().slice(0, 8)}.toml`;
  const copy = `${folder}/${WORKSPACE.temporary}/${name}`;
  replaceFile(environment.disk, copy, Buffer.from(before), `${copy}.new`);
  try {
    const place = utf8Path(environment.disk, `${folder}/${WORKSPACE.temporary}`, environment.holder.pid);
    try {
      await change(`${place.path}/${name}`);
    } finally {
      place.close();
    }
    const after = readText(environment, copy);
    parseSettings(after, copy);
    if (after !== before) {
      await withLock(environment, path, () => {
        if (readText(environment, path) !== before)
          throw new SnapError('conflict', `${path} was changed by somebody else meanwhile`);
        replaceText(environment, folder, path, after);
      });
    }
    removeIfThere(environment.disk, copy);
    return after !== before;
  } catch (error) {
    const left = readWhole(environment.disk, copy);
    if (left === undefined || left.equals(Buffer.from(before))) removeIfThere(environment.disk, copy);
    else if (error instanceof SnapError)
      throw new SnapError(error.code, error.message, {
        hint: `The settings stay as they were; your text is in ${copy}.`,
        context: error.context,
        cause: error,
      });
    throw error;
  }
}

function replaceText(environment: Environment, folder: string, path: string, text: string): void {
  try {
    replaceFile(
      environment.disk,
      path,
      Buffer.from(text),
      `${folder}/${WORKSPACE.temporary}/${environment.uniqueName()}`,
    );
  } catch (error) {
    throw fromSystemError(error, 'writing', path);
  }
}

function readText(environment: Environment, path: string): string {
  let text: string | undefined;
  try {
    text = readSettingsText(environment.disk, path);
  } catch (error) {
    throw fromSystemError(error, 'reading', path);
  }
  if (text === undefined) throw new SnapError('not-found', `${path} is gone`);
  return text;
}

/** Two `set` at once must both count. A lock of its own: a long commit does not keep anyone from changing settings. */
async function withLock<T>(environment: Environment, path: string, work: () => T): Promise<T> {
  const deadline = environment.elapsed() + LOCK_WAIT_MS;
  for (;;) {
    const lock = tryLock(environment.disk, `${path}.lock`, environment.holder);
    if ('release' in lock) {
      try {
        return work();
      } finally {
        lock.release();
      }
    }
    if (environment.elapsed() >= deadline)
      throw lockedBy(
        environment,
        `${path}.lock`,
        lock,
        'the settings are in use by',
        'Wait until it is done and try again.',
      );
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
}
