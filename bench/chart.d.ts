import type { Measurements, Row } from './measurements.ts';
export declare function drawChart(
  measurements: Measurements,
  rows: readonly Row[],
  text: {
    title: string;
    subtitle: string;
  },
): string;
