/** Reading a settings file, which people write, and which is written again from what was read: whole, or not at all. */
import type { Disk } from '../disk/disk.ts';
import { readWhole } from '../disk/files.ts';
import { SnapError } from '../errors.ts';

const SETTINGS_BYTES_MAX = 1024 * 1024;

/** Undefined if there is none. Throws `usage` for more than 1 MiB, which are no settings, and system errors. */
export function readSettingsText(disk: Disk, path: string): string | undefined {
  const bytes = readWhole(disk, path, SETTINGS_BYTES_MAX + 1);
  if (bytes === undefined || bytes.length <= SETTINGS_BYTES_MAX) return bytes?.toString('utf8');
  throw new SnapError('usage', `${path} has more than 1 MiB: these are no settings`, {
    hint: 'Put the file back as it was, or take out what does not belong there.',
  });
}
