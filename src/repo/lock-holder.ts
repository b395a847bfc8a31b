/** What people are told of who holds a lock. */
import type { Holder } from '../disk/lock-file.ts';
import { isElsewhere } from '../disk/lock-file.ts';
import { SnapError } from '../errors.ts';
import type { Environment } from './environment.ts';
import { zonedTime } from './environment.ts';

export function nameHolder(holder: Holder): string {
  return `\`${holder.command}\` (process ${holder.pid} on ${holder.host})`;
}

/** The error for the lock at `path`. `what` begins the message; `hint` holds for a holder of this machine, which ends some time. */
export function lockedBy(
  environment: Environment,
  path: string,
  holder: Holder,
  what: string,
  hint: string,
): SnapError {
  return new SnapError('locked', `${what} ${nameHolder(holder)}`, {
    hint: isElsewhere(holder, environment.holder)
      ? `Whether that still runs cannot be told from here: it began${since(environment, path)} on ${holder.host}, another ` +
        `machine or container. Wait until it is done; if nothing runs there any more, remove ${path}.`
      : hint,
    context: { pid: holder.pid, host: holder.host, path },
  });
}

function since(environment: Environment, path: string): string {
  const stat = environment.disk.lstat(path);
  return stat === undefined ? '' : ` at ${zonedTime(environment, new Date(Number(stat.mtimeMs)))}`;
}
