/** Power loss at every operation of gc, tag, undo, reindex, and checkout. */
import { amount } from '../kit/amount.ts';
import { powerLoss } from '../kit/crash/enumerate.ts';
import { CHANGES } from '../kit/crash/scenarios.ts';

powerLoss(CHANGES, amount({ sample: 250, ordinary: 4_000, long: 25_000 }));
