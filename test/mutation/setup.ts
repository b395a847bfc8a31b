/** The same random inputs for every mutant, and no search for a smaller one: a failure is all that counts. */
import fc from 'fast-check';

fc.configureGlobal({ seed: 1, endOnFailure: true });
process.env.SNAP_SEED = '1';
