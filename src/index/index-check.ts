/** A program of its own: reads every record of the index at argv[2] and exits with 0 if all fit their checksums. */
import { Level } from 'level';
import { openValue } from './index-keys.ts';

const path = process.argv[2] ?? '';
const database = new Level<Uint8Array, Uint8Array>(path, {
  keyEncoding: 'view',
  valueEncoding: 'view',
  createIfMissing: false,
});
try {
  await database.open();
  for await (const [key, value] of database.iterator()) if (openValue(key, value) === undefined) process.exit(1);
  await database.close();
} catch {
  process.exit(1);
}
