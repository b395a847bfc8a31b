// What was measured: cells by job, program and round, and the numbers drawn from them. Ratios are paired: each
// round's value of one program by the same round's value of the other, then the median of those.

import type { Sample } from './measure.ts';

export type Unit = 'ms' | 'bytes';

/** What the issue asks of a row. A ratio is to restic in the same run. */
export type Target = { ratioMax?: number; max?: number; notAbove?: string };

export type Row = { id: string; label: string; data: string; unit: Unit; target?: Target };

export type Cell = {
  value: number;
  cpuMs?: number | null;
  rssBytes?: number | null;
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

export function createMeasurements(): Measurements {
  const rows = new Map<string, Row>();
  const tools = new Set<string>();
  const cells = new Map<string, Map<number, Cell>>();
  const failures = new Map<string, string>();
  const key = (rowId: string, tool: string): string => `${rowId}\0${tool}`;
  const touch = (row: Row, tool: string): void => {
    rows.set(row.id, rows.get(row.id) ?? row);
    tools.add(tool);
  };
  return {
    add: (row, tool, round, cell) => {
      touch(row, tool);
      const byRound = cells.get(key(row.id, tool)) ?? new Map<number, Cell>();
      cells.set(key(row.id, tool), byRound.set(round, cell));
    },
    fail: (row, tool, message) => {
      touch(row, tool);
      failures.set(key(row.id, tool), message);
    },
    rows: () => [...rows.values()],
    tools: () => [...tools],
    cells: (rowId, tool) => [...(cells.get(key(rowId, tool))?.values() ?? [])],
    failure: (rowId, tool) => failures.get(key(rowId, tool)),
    ratio: (rowId, tool, to) => {
      const ours = cells.get(key(rowId, tool));
      const theirs = cells.get(key(rowId, to));
      const ratios: number[] = [];
      for (const [round, cell] of ours ?? []) {
        const other = theirs?.get(round);
        if (other !== undefined && other.value > 0) ratios.push(cell.value / other.value);
      }
      return median(ratios);
    },
  };
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2;
}

export function timeCell(sample: Sample): Cell {
  return { value: sample.wallMs, cpuMs: sample.cpuMs, rssBytes: sample.rssBytes };
}
