/** Power loss at every operation of init and commit. */
import { amount } from '../kit/amount.ts';
import { powerLoss } from '../kit/crash/enumerate.ts';
import { COMMITS } from '../kit/crash/scenarios.ts';

powerLoss(COMMITS, amount({ sample: 250, ordinary: 4_000, long: 25_000 }));
