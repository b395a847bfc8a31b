import type { Sample } from './measure.ts';
export type Unit = 'ms' | 'bytes';
/** What the issue asks of a row. A ratio is to restic in the same run. */
export type Target = {
  ratioMax?: number;
  max?: number;
  notAbove?: string;
};
export type Row = {
  id: string;
  label: string;
  data: string;
  unit: Unit;
  target?: Target;
};
export type Cell = {
  value: number;
  cpuMs?: number | null;
  rssBytes?: number | null;
  /** Seconds by step, as the command itself reports them. */
  trace?: Readonly<Record<string, number>>;
};
export type Measurements = {
  add: (row: Row, tool: string, round: number, cell: Cell) => void;
  fail: (row: Row, tool: string, message: string) => void;
  rows: () => Row[];
  tools: () => string[];
  cells: (rowId: string, tool: string) => Cell[];
  failure: (rowId: string, tool: string) => string | undefined;
  ratio: (rowId: string, tool: string, to: string) => number | undefined;
};
export declare function createMeasurements(): Measurements;
export declare function median(values: readonly number[]): number | undefined;
/** The measured sample as a cell, with the trace line that the command may have printed. */
export declare function timeCell(sample: Sample): Cell;
