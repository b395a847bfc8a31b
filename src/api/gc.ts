/** Garbage collection from outside: retention, then reclaiming what nothing needs. */
import type { GcPreview, GcResult, GcStep } from '../gc/gc.ts';
import { gc as gcIn, previewGc as previewIn } from '../gc/gc.ts';
import type { RetentionRules } from '../gc/rules.ts';
import { rulesOfSettings } from '../gc/rules.ts';
import type { Workspace } from './workspace.ts';

export interface GcSettings {
  /** Instead of the rules of config.toml, altogether. */
  readonly rules?: RetentionRules | undefined;
  /** Snapshots of every workspace of the store. */
  readonly all?: boolean | undefined;
  /** Leave out every grace. */
  readonly now?: boolean | undefined;
  readonly onProgress?: ((step: GcStep, bytesDone: number, bytesTotal: number) => void) | undefined;
}

/** Prunes by rules, and removes what nothing needs. Throws `locked`, `usage`, `refused`, `corrupt-data`. */
export async function gc(workspace: Workspace, settings: GcSettings = {}): Promise<GcResult> {
  return workspace.inTurn((own) =>
    gcIn(workspace.repository, workspace.workers, {
      rules: rulesFor(workspace, settings),
      all: settings.all ?? false,
      now: settings.now ?? false,
      signal: workspace.signal,
      progress: settings.onProgress ?? (() => undefined),
      exclusively: (work) => own.exclusively(() => work()),
    }),
  );
}

/** What `gc` would do; changes nothing. */
export async function previewGc(workspace: Workspace, settings: GcSettings = {}): Promise<GcPreview> {
  return previewIn(workspace.repository, {
    rules: rulesFor(workspace, settings),
    all: settings.all ?? false,
    now: settings.now ?? false,
    signal: workspace.signal,
    progress: settings.onProgress ?? (() => undefined),
  });
}

function rulesFor(workspace: Workspace, settings: GcSettings): RetentionRules {
  return settings.rules ?? rulesOfSettings(workspace.repository.settings);
}
