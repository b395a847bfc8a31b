/** What the line of progress says of scans and checkouts. */
import type { CheckoutSettings } from '../api/checkout.ts';
import { counted, formatCount, formatSize } from '../bytes/quantity.ts';
import type { CheckoutProgress } from '../checkout/tally.ts';
import type { ScanProgress } from '../scan/scan.ts';
import type { Progress } from './progress.ts';

/** "1,200 entries, read 1.2 GB of 3.4 GB" */
export function scanText({ entries, bytesRead, bytesToRead }: ScanProgress): string {
  return `${formatCount(entries)} ${entries === 1 ? 'entry' : 'entries'}, read ${doneOf(bytesRead, bytesToRead)}`;
}

/** What a checkout, or the undo of one, tells. */
export function checkoutProgress(line: Progress): Pick<CheckoutSettings, 'onProgress' | 'onSaving'> {
  return {
    onSaving: (scan) => line.update(() => scanText(scan)),
    onProgress: (checkout) => line.update(() => checkoutText(checkout)),
  };
}

/** "1 file, 1.2 GB of 3.4 GB", or what was compared before anything is written. */
export function checkoutText({ files, bytes, bytesTotal, bytesCompared }: CheckoutProgress): string {
  const compared = bytesCompared === 0 ? [] : [`compared ${formatSize(bytesCompared)}`];
  const written = bytes === 0 && compared.length > 0 ? [] : [`${counted(files, 'file')}, ${doneOf(bytes, bytesTotal)}`];
  return [...written, ...compared].join(', ');
}

function doneOf(bytes: number, total: number | undefined): string {
  return total === undefined ? formatSize(bytes) : `${formatSize(bytes)} of ${formatSize(total)}`;
}
