/**
 * A snapshot as a line of a listing, in columns that fit the terminal: id, when, message, what it added to the store,
 * and what names it. Where there is little room, the message has a line of its own.
 */
import { formatSize } from '../bytes/quantity.ts';
import { formatWhen } from '../bytes/time-expression.ts';
import type { LoggedSnapshot } from '../history/log.ts';
import { shortId } from '../object/blob-id.ts';
import type { Face } from './face.ts';
import { cutEnd, padEnd, textWidth } from './text-width.ts';

export interface LogLayout {
  readonly withWorkspace: boolean;
  readonly whenWidth: number;
  readonly messageWidth: number;
  readonly sizeWidth: number;
  /** Everything in one line; else the message is in a second one. */
  readonly isWide: boolean;
}

const ONE_LINE_WIDTH_MIN = 64;
const MESSAGE_WIDTH_MIN = 12;
const MESSAGE_WIDTH_MAX = 60;
/** Margin, id, and two columns between columns. */
const FIXED_WIDTH = 1 + 10 + 2 + 2 + 2;

/** Columns for these snapshots; later ones are cut to fit. */
export function layOut(
  face: Face,
  snapshots: readonly LoggedSnapshot[],
  options: { readonly withWorkspace: boolean },
): LogLayout {
  const widest = (texts: readonly string[]): number =>
    texts.reduce((width, text) => Math.max(width, textWidth(text)), 0);
  const whenWidth = widest(snapshots.map(({ snapshot }) => formatWhen(new Date(snapshot.time), face.now)));
  const sizeWidth = widest(snapshots.map(stored));
  const marksWidth = widest(
    snapshots.map((logged) => marks(face, logged, options.withWorkspace, (_style, text) => text)),
  );
  const left = face.width - FIXED_WIDTH - whenWidth - sizeWidth - 2 - Math.min(marksWidth, Math.floor(face.width / 3));
  const messageWidth = Math.min(
    MESSAGE_WIDTH_MAX,
    Math.max(MESSAGE_WIDTH_MIN, left),
    widest(snapshots.map((logged) => title(face, logged) ?? NO_MESSAGE)),
  );
  return { ...options, whenWidth, sizeWidth, messageWidth, isWide: face.width >= ONE_LINE_WIDTH_MIN };
}

export function snapshotLines(face: Face, logged: LoggedSnapshot, layout: LogLayout): string[] {
  const id = face.style('id', shortId(logged.id));
  const when = padEnd(formatWhen(new Date(logged.snapshot.time), face.now), layout.whenWidth);
  const named = marks(face, logged, layout.withWorkspace, (style, text) => face.style(style, text));
  const message = title(face, logged);
  if (layout.isWide) {
    const shown = padEnd(cutEnd(message ?? NO_MESSAGE, layout.messageWidth), layout.messageWidth);
    return [
      ` ${id}  ${when}  ${message === undefined ? face.style('dim', shown) : shown}  ${stored(logged).padStart(layout.sizeWidth)}${named === '' ? '' : `  ${named}`}`,
    ];
  }
  const first = ` ${id}  ${when}  ${stored(logged)}`;
  const second = cutEnd(message ?? NO_MESSAGE, face.width - 3);
  const lines = [first, `   ${message === undefined ? face.style('dim', second) : second}`];
  if (named !== '') lines.push(`   ${named}`);
  return lines;
}

export function snapshotJson(logged: LoggedSnapshot): Record<string, unknown> {
  const { id, snapshot, parent, tags, isHead } = logged;
  return {
    schema: 1,
    type: 'snapshot',
    id,
    ...snapshot,
    parent: parent ?? null,
    recordedParent: snapshot.parent,
    tags,
    isHead,
  };
}

const NO_MESSAGE = '(no message)';

function title(face: Face, { snapshot }: LoggedSnapshot): string | undefined {
  const line = snapshot.message.split('\n')[0] ?? '';
  return line === '' ? undefined : face.safe(line);
}

function stored({ snapshot }: LoggedSnapshot): string {
  return `+${formatSize(snapshot.changes.storedBytes)}`;
}

function marks(
  face: Face,
  { snapshot, tags, isHead }: LoggedSnapshot,
  withWorkspace: boolean,
  style: (style: 'ref' | 'bold' | 'dim', text: string) => string,
): string {
  const shown: string[] = [];
  if (isHead) shown.push(style('bold', 'HEAD'));
  for (const tag of tags) shown.push(style('ref', face.safe(tag)));
  if (snapshot.origin === 'autosave') shown.push(style('dim', 'autosave'));
  if (withWorkspace) shown.push(style('dim', `[${face.safe(snapshot.workspace.name)}]`));
  return shown.join('  ');
}
