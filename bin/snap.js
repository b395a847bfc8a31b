#!/usr/bin/env node
// Starts the built command line. Compiled code is cached in the user's own cache folder, where the runtime can.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(main)) {
  process.stderr.write('error: snap is not built yet\nRun `npm ci` in the folder of its checkout.\n');
  process.exit(1);
}
const cacheHome = process.env.XDG_CACHE_HOME ?? '';
const cache = isAbsolute(cacheHome) ? cacheHome : join(homedir(), '.cache');
if (isAbsolute(cache)) module.enableCompileCache?.(join(cache, 'snap', 'code'));
const { run } = await import(main.href);
await run();
