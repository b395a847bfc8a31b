/** The command line of the test build. */
import './kill-at.ts';
import { run } from '../../../src/cli/main.ts';

await run();
