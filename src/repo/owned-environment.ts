/** The environment in which a workspace and its store are used: the superuser leaves nothing of his own in them. */
import { givenAwayIn } from '../disk/given-away.ts';
import type { Environment } from './environment.ts';

export function ownedEnvironment(environment: Environment, folders: readonly string[]): Environment {
  return environment.uid === 0 ? { ...environment, disk: givenAwayIn(environment.disk, folders) } : environment;
}
