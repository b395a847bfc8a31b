import { type Measurements, type Row, type Unit } from './measurements.ts';
import type { Machine } from './options.ts';
import type { Tool } from './tools.ts';
export type Summary = {
  measurements: Measurements;
  rows: readonly Row[];
  fileCounts: ReadonlyMap<string, number>;
};
export type Verdict = {
  ratio: number | undefined;
  wanted: string;
  met: boolean | undefined;
};
/** Whether a row's target is met; `met` is undefined where there is no target or nothing to compare with. */
export declare function judge(measurements: Measurements, row: Row): Verdict;
export declare function mainTable({ measurements, rows }: Summary): string;
/** Peak memory and CPU time of each program in each job. */
export declare function memoryTable({ measurements, rows }: Summary): string;
/** Where snap's time goes, when it says so; undefined when no command did. */
export declare function traceTable({ measurements, rows }: Summary): string | undefined;
/** The demands that are about more than one row. */
export declare function notes({ measurements, rows, fileCounts }: Summary): string[];
export declare function toJson(
  summary: Summary,
  context: {
    machine: Machine;
    tools: readonly Tool[];
    when: string;
    rounds: number;
    quick: boolean;
    data: object;
  },
): string;
export declare function medianOf(measurements: Measurements, row: Row, tool: string): number | undefined;
export declare function formatValue(unit: Unit, value: number): string;
