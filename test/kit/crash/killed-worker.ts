/** The worker script of the test build. */
import './kill-at.ts';
import '../../../src/work/worker.ts';
