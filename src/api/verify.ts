/** Verifying from outside. */
import { parseSample } from '../verify/sample.ts';
import type { VerifyResult } from '../verify/verify.ts';
import { verify as verifyIn } from '../verify/verify.ts';
import type { Workspace } from './workspace.ts';

export interface VerifySettings {
  /** Read every byte. */
  readonly data?: boolean | undefined;
  /** Read a random part: "10%", "2GB" or "5m" (minutes). */
  readonly sample?: string | undefined;
  /** Read every byte and hash it with a second implementation; slow. */
  readonly paranoid?: boolean | undefined;
  readonly onProgress?: ((bytesDone: number, bytesTotal: number) => void) | undefined;
}

/** Checks the store. Damage is in the result. Throws `usage` for a bad sample. */
export async function verify(workspace: Workspace, settings: VerifySettings = {}): Promise<VerifyResult> {
  const sample = settings.sample === undefined ? undefined : parseSample(settings.sample);
  const paranoid = settings.paranoid ?? false;
  return verifyIn(workspace.repository, workspace.workers, {
    data: settings.data === true || paranoid || sample !== undefined,
    sample,
    paranoid,
    signal: workspace.signal,
    progress: settings.onProgress ?? (() => undefined),
  });
}
