// The bar chart for the README, written as SVG by hand: wall time of each program, job by job. Each job is
// scaled to its slowest program, because the jobs differ a hundredfold. Colours follow the reader's light or
// dark mode over a background of their own, so that it can be read anywhere.

import type { Measurements, Row } from './measurements.ts';
import { formatValue, medianOf } from './report.ts';

const width = 760;
const labelWidth = 220;
const valueWidth = 78;
const barHeight = 14;
const barGap = 3;
const groupGap = 16;
const headHeight = 74;
const programs = ['snap', 'restic', 'borg', 'git'] as const;

export function drawChart(
  measurements: Measurements,
  rows: readonly Row[],
  text: { title: string; subtitle: string },
): string {
  const present = programs.filter((name) => measurements.tools().includes(name));
  const parts: string[] = [];
  let y = headHeight;
  for (const row of rows.filter(({ unit }) => unit === 'ms')) {
    const bars = present.flatMap((name) => {
      const value = medianOf(measurements, row, name);
      return value === undefined ? [] : [{ name, value }];
    });
    if (bars.length < 2 && bars[0]?.name !== 'snap') continue;
    parts.push(drawGroup(row, bars, y));
    y += bars.length * (barHeight + barGap) + groupGap;
  }
  const legend = present.map((name, index) => legendEntry(name, 20 + index * 86)).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" role="img">
<title>${escapeXml(text.title)}</title>
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .dim { fill: #59636e; font-size: 12px }
  .back { fill: #ffffff }
  .snap { fill: #0969da } .restic { fill: #9a6700 } .borg { fill: #57935f } .git { fill: #8c959f }
  .strong { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .dim { fill: #9198a1 } .back { fill: #0d1117 }
    .snap { fill: #4493f8 } .restic { fill: #d29922 } .borg { fill: #6fb37a } .git { fill: #656c76 }
  }
</style>
<rect class="back" width="${width}" height="${y}" rx="6"/>
<text class="title" x="20" y="26">${escapeXml(text.title)}</text>
<text class="dim" x="20" y="44">${escapeXml(text.subtitle)}</text>
${legend}
${parts.join('\n')}
</svg>
`;
}

function drawGroup(row: Row, bars: readonly { name: string; value: number }[], top: number): string {
  const longest = Math.max(...bars.map((bar) => bar.value));
  const room = width - labelWidth - valueWidth - 20;
  const lines = bars.map((bar, index) => {
    const y = top + index * (barHeight + barGap);
    const length = Math.max(1, Math.round((bar.value / longest) * room));
    const strong = bar.name === 'snap' ? ' class="strong"' : '';
    return [
      `<rect class="${bar.name}" x="${labelWidth}" y="${y}" width="${length}" height="${barHeight}" rx="2"/>`,
      `<text${strong} x="${labelWidth + length + 6}" y="${y + 11}">${formatValue('ms', bar.value)}</text>`,
    ].join('');
  });
  const label = `<text x="${labelWidth - 10}" y="${top + 11}" text-anchor="end">${escapeXml(row.label)}</text>`;
  return [label, ...lines].join('\n');
}

function legendEntry(name: string, x: number): string {
  return `<rect class="${name}" x="${x}" y="54" width="11" height="11" rx="2"/><text x="${x + 16}" y="64">${name}</text>`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
