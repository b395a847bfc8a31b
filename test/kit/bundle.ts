/** Before any test: builds what tests run as users do (dist/), so that it is never older than the source. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export function setup(): void {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  execFileSync('npm', ['run', '--silent', 'bundle'], { cwd, stdio: 'inherit' });
}
