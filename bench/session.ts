/**
 * Draws the picture of the README: runs a short session for real, in a temporary folder, and writes what the terminal
 * showed as bench/results/session.svg. `node bench/session.ts`
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../bin/snap.js', import.meta.url));
const OUT = fileURLToPath(new URL('./results/session.svg', import.meta.url));
const LINE_HEIGHT = 19;
const COLUMNS = 96;
const COLORS: Readonly<Record<string, string>> = {
  '31': '#e5534b',
  '32': '#57ab5a',
  '33': '#d4a72c',
  '36': '#39c5cf',
};

const folder = mkdtempSync(join(tmpdir(), 'snap-session-'));
try {
  const lines = session(join(folder, 'project'));
  mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
  writeFileSync(OUT, picture(lines));
  process.stdout.write(`${OUT}: ${lines.length} lines\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function session(root: string): string[] {
  const lines: string[] = [];
  const snap = (command: string, ...args: string[]): void => {
    const env = { ...process.env, FORCE_COLOR: '1', TZ: 'UTC' };
    const ran = spawnSync(process.execPath, [BIN, ...args], { cwd: root, encoding: 'utf8', env });
    lines.push(
      `\u001b[1m$ ${command}\u001b[22m`,
      ...`${ran.stderr}${ran.stdout}`.replaceAll(root, '~/project').trimEnd().split('\n'),
    );
  };
  mkdirSync(join(root, 'models'), { recursive: true });
  mkdirSync(join(root, 'node_modules'));
  writeFileSync(join(root, 'train.py'), 'rate = 0.01\nepochs = 12\n');
  writeFileSync(join(root, 'models', 'weights.bin'), weights(48_000_000));
  snap('snap init', 'init');
  snap('snap commit -m "before deploy" --tag v1.2.0', 'commit', '-m', 'before deploy', '--tag', 'v1.2.0');
  writeFileSync(join(root, 'train.py'), 'rate = 0.02\nepochs = 12\n');
  renameSync(join(root, 'models', 'weights.bin'), join(root, 'models', 'epoch-12.bin'));
  appendFileSync(join(root, 'models', 'epoch-12.bin'), 'a few more bytes');
  snap('snap status', 'status');
  snap('snap commit -m "epoch 12"', 'commit', '-m', 'epoch 12');
  snap('snap log', 'log');
  writeFileSync(join(root, 'train.py'), 'rate = 0.03  # not committed\n');
  snap('snap checkout v1.2.0', 'checkout', 'v1.2.0');
  snap('snap undo', 'undo');
  return lines;
}

/** Noise that no compressor shrinks, the same at each run. */
function weights(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 2463534242;
  for (let i = 0; i < length; i += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeInt32LE(state, i);
  }
  return bytes;
}

function picture(lines: readonly string[]): string {
  const width = COLUMNS * 8.43 + 40;
  const height = lines.length * LINE_HEIGHT + 44;
  const rows = lines.map(
    (line, i) => `<text x="20" y="${36 + i * LINE_HEIGHT}" xml:space="preserve">${spans(line)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="#d5dbe3">
<rect width="100%" height="100%" rx="8" fill="#1c2128"/>
${rows.join('\n')}
</svg>
`;
}

/** Turns the few escape sequences that snap prints into styled spans. */
function spans(line: string): string {
  let bold = false;
  let dim = false;
  let color: string | undefined;
  let out = '';
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    const code = /^\u001b\[([0-9;]*)m$/.exec(part)?.[1];
    if (code !== undefined) {
      if (code === '1') bold = true;
      else if (code === '2') dim = true;
      else if (code === '22') bold = dim = false;
      else color = COLORS[code];
    } else if (part !== '') {
      const style = `${bold ? ' font-weight="bold"' : ''}${color === undefined ? '' : ` fill="${color}"`}${dim ? ' opacity="0.65"' : ''}`;
      out += `<tspan${style}>${part.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</tspan>`;
    }
  }
  return out;
}
