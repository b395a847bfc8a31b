/**
 * Progress on a terminal: nothing for the first moments, then one spinner line on stderr that says what is done. On
 * anything else than a terminal: nothing. The package ora is loaded only when a line is to be shown.
 */
const PATIENCE_MS = 800;
const REFRESH_MS = 100;

export interface Progress {
  /** What to show; cheap to call often. */
  update(text: () => string): void;
  stop(): void;
}

export function startProgress(enabled: boolean): Progress {
  if (!enabled || process.stderr.isTTY !== true || process.env.TERM === 'dumb')
    return { update: () => undefined, stop: () => undefined };
  let latest: (() => string) | undefined;
  let stopped = false;
  let spinner: { text: string; stop(): unknown } | undefined;
  let timer = setTimeout(show, PATIENCE_MS);

  async function show(): Promise<void> {
    if (latest !== undefined) {
      const { default: ora } = await import('ora');
      // A terminal that does not tell its size has 0 columns: ora would clear endless lines.
      if (!(process.stderr.columns > 0)) process.stderr.columns = 80;
      if (stopped) return;
      spinner = ora({ text: latest(), stream: process.stderr, discardStdin: false }).start();
    }
    timer = setInterval(refresh, REFRESH_MS);
    timer.unref();
  }

  function refresh(): void {
    if (spinner !== undefined && latest !== undefined) spinner.text = latest();
  }

  return {
    update: (text) => {
      latest = text;
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      clearInterval(timer);
      spinner?.stop();
    },
  };
}
