// The numbers as a person reads them: one aligned table, then memory and where the time goes; and as JSON.

import { type Measurements, median, type Row, type Unit } from './measurements.ts';
import type { Machine } from './options.ts';
import type { Tool } from './tools.ts';

/** The programs with a column of their own; the others share the last one. */
const columnTools = ['restic', 'borg', 'git'];
const millionTimePerFileRatioMax = 1.5;
const rssMax: Record<string, number> = { million: 500e6 };
const rssMaxUsual = 300e6;

export type Summary = { measurements: Measurements; rows: readonly Row[]; fileCounts: ReadonlyMap<string, number> };

export type Verdict = { ratio: number | undefined; wanted: string; met: boolean | undefined };

/** Whether a row's target is met; `met` is undefined where there is no target or nothing to compare with. */
export function judge(measurements: Measurements, row: Row): Verdict {
  // A program that failed in one round gets no verdict from the others.
  if (measurements.failure(row.id, 'snap') !== undefined)
    return { ratio: undefined, wanted: wantedText(row), met: undefined };
  const ratio = measurements.ratio(row.id, 'snap', 'restic');
  const ours = medianOf(measurements, row, 'snap');
  const { target } = row;
  if (target === undefined) return { ratio, wanted: '', met: undefined };
  const met: (boolean | undefined)[] = [];
  if (target.ratioMax !== undefined) {
    met.push(ratio === undefined ? undefined : ratio <= target.ratioMax);
  }
  if (target.max !== undefined) {
    met.push(ours === undefined ? undefined : ours <= target.max);
  }
  if (target.notAbove !== undefined) {
    const other = measurements.ratio(row.id, 'snap', target.notAbove);
    met.push(other === undefined ? undefined : other <= 1);
  }
  if (ours === undefined || met.includes(undefined)) return { ratio, wanted: wantedText(row), met: undefined };
  return { ratio, wanted: wantedText(row), met: met.every(Boolean) };
}

function wantedText({ unit, target }: Row): string {
  const wanted: string[] = [];
  if (target?.ratioMax !== undefined) wanted.push(`${target.ratioMax.toFixed(2)} × restic`);
  if (target?.max !== undefined) wanted.push(formatValue(unit, target.max));
  if (target?.notAbove !== undefined) wanted.push(target.notAbove);
  return wanted.join(', ');
}

/** The program's own words, without the command line before them. */
function shortReason(failure: string): string {
  const words = failure.replace(/^.* exited [^:]*: /, '').replace(/^error: /, '');
  return words.length > 28 ? `${words.slice(0, 27)}…` : words;
}

export function mainTable({ measurements, rows }: Summary): string {
  const names = measurements.tools();
  const snaps = names.filter((name) => name.startsWith('snap'));
  const columns = [...snaps, ...columnTools.filter((name) => names.includes(name))];
  const rest = names.filter((name) => !columns.includes(name));
  const head = ['job', ...columns, 'snap/restic', 'at most', '', 'snap, min–max', 'neighbours'];
  const failures: string[] = [];
  const lines = rows.map((row) => {
    const { ratio, wanted, met } = judge(measurements, row);
    const cellText = (tool: string): string => {
      const failure = measurements.failure(row.id, tool);
      if (failure !== undefined) failures.push(` ${row.label}, ${tool}: ${failure}`);
      const value = medianOf(measurements, row, tool);
      if (failure !== undefined) return `failed: ${shortReason(failure)}`;
      return value === undefined ? '' : formatValue(row.unit, value);
    };
    const others = rest.map((name) => [name, cellText(name)] as const).filter(([, text]) => text !== '');
    return [
      row.label,
      ...columns.map(cellText),
      ratio === undefined ? '' : `${ratio.toFixed(2)} ×`,
      wanted,
      met === undefined ? '' : met ? 'met' : 'MISSED',
      rangeText(measurements, row, 'snap'),
      others.map(([name, text]) => `${name} ${text}`).join(', '),
    ];
  });
  const table = align([head, ...lines], new Set([0, columns.length + 2, columns.length + 3, columns.length + 5]));
  return failures.length === 0 ? table : `${table}\n\nFailed:\n${failures.join('\n')}`;
}

/** Peak memory and CPU time of each program in each job. */
export function memoryTable({ measurements, rows }: Summary): string {
  const names = measurements.tools();
  const lines: string[][] = [['peak memory, CPU time', ...names]];
  for (const row of rows) {
    if (row.unit !== 'ms' || row.id.startsWith('start-')) continue;
    const texts = names.map((name) => {
      const cells = measurements.cells(row.id, name);
      const cpu = median(cells.flatMap((cell) => (typeof cell.cpuMs === 'number' ? [cell.cpuMs] : [])));
      const rss = peakRss(measurements, row.id, name);
      return rss === undefined || cpu === undefined ? '' : `${Math.round(rss / 1e6)} MB ${(cpu / 1000).toFixed(2)} s`;
    });
    lines.push([row.label, ...texts]);
  }
  return align(lines, new Set([0]));
}

/** The demands that are about more than one row. */
export function notes({ measurements, rows, fileCounts }: Summary): string[] {
  const found: string[] = [];
  for (const row of rows) {
    const rss = peakRss(measurements, row.id, 'snap');
    const limit = rssMax[row.id] ?? rssMaxUsual;
    if (rss !== undefined && rss > limit) {
      found.push(`memory MISSED: ${row.label} took ${Math.round(rss / 1e6)} MB; at most ${limit / 1e6} MB`);
    }
  }
  const asked = rows.filter((row) => row.unit === 'ms');
  const measured = asked.filter((row) => peakRss(measurements, row.id, 'snap') !== undefined);
  if (measured.length === 0) found.push('memory: not measured, no job of snap succeeded');
  else if (found.length === 0)
    found.push(`memory: within its limit in the ${measured.length} of ${asked.length} jobs measured`);
  const perFile = (id: string): number | undefined => {
    const value = median(measurements.cells(id, 'snap').map((cell) => cell.value));
    const count = fileCounts.get(id);
    return value === undefined || count === undefined ? undefined : (value * 1000) / count;
  };
  const [linux, million] = [perFile('first'), perFile('million')];
  if (million !== undefined) found.push(`${fileCounts.get('million')} small files: ${million.toFixed(1)} µs a file`);
  if (linux !== undefined && million !== undefined) {
    const ratio = million / linux;
    const verdict = ratio <= millionTimePerFileRatioMax ? 'met' : 'MISSED';
    found.push(`  ${ratio.toFixed(2)} × the Linux source's ${linux.toFixed(1)} µs; at most 1.5 ×: ${verdict}`);
  }
  return found;
}

export function toJson(
  summary: Summary,
  context: { machine: Machine; tools: readonly Tool[]; when: string; rounds: number; quick: boolean; data: object },
): string {
  const { measurements, rows } = summary;
  const document = {
    when: context.when,
    quick: context.quick,
    rounds: context.rounds,
    machine: context.machine,
    programs: Object.fromEntries(context.tools.map((tool) => [tool.name, tool.version])),
    data: context.data,
    notes: notes(summary),
    rows: rows.map((row) => ({ ...row, ...judge(measurements, row), programs: programsOf(measurements, row) })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

export function medianOf(measurements: Measurements, row: Row, tool: string): number | undefined {
  return median(measurements.cells(row.id, tool).map((cell) => cell.value));
}

export function formatValue(unit: Unit, value: number): string {
  if (unit === 'bytes')
    return Math.abs(value) < 1e6 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`;
  if (value < 1000) return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
  return `${(value / 1000).toFixed(2)} s`;
}

function programsOf(measurements: Measurements, row: Row): object {
  const entries = measurements.tools().flatMap((name): [string, object][] => {
    const failure = measurements.failure(row.id, name);
    const cells = measurements.cells(row.id, name);
    const values = cells.map((cell) => cell.value);
    if (failure !== undefined) return [[name, { failed: failure, values }]];
    if (cells.length === 0) return [];
    const cpuMs = median(cells.flatMap((cell) => (typeof cell.cpuMs === 'number' ? [cell.cpuMs] : [])));
    const range = { median: median(values), min: Math.min(...values), max: Math.max(...values), values };
    return [[name, { ...range, cpuMs, peakRssBytes: peakRss(measurements, row.id, name) }]];
  });
  return Object.fromEntries(entries);
}

function peakRss(measurements: Measurements, rowId: string, tool: string): number | undefined {
  const values = measurements
    .cells(rowId, tool)
    .flatMap((cell) => (typeof cell.rssBytes === 'number' ? [cell.rssBytes] : []));
  return values.length === 0 ? undefined : Math.max(...values);
}

function rangeText(measurements: Measurements, row: Row, tool: string): string {
  const values = measurements.cells(row.id, tool).map((cell) => cell.value);
  if (values.length < 2) return '';
  return `${formatValue(row.unit, Math.min(...values))}–${formatValue(row.unit, Math.max(...values))}`;
}

/** Columns padded to their widest text; numbers to the right, the columns in `left` to the left. */
function align(lines: readonly (readonly string[])[], left: ReadonlySet<number>): string {
  const widths: number[] = [];
  for (const line of lines) {
    for (const [index, text] of line.entries()) widths[index] = Math.max(widths[index] ?? 0, text.length);
  }
  const pad = (text: string, index: number): string =>
    left.has(index) ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0);
  return lines.map((line) => ` ${line.map(pad).join('  ')}`.trimEnd()).join('\n');
}
