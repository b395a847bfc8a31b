/** A disk of a process that dies at some call: that call and all later ones throw, so that nothing is cleaned up either. */
import type { Disk } from '../../../src/disk/disk.ts';
import { SnapError } from '../../../src/errors.ts';

export interface DyingDisk {
  readonly disk: Disk;
  isDead(): boolean;
}

/** `dies`: asked at each call, with its name and what it was given, until it says so. */
export function dyingDisk(real: Disk, dies: (call: string, args: readonly unknown[]) => boolean): DyingDisk {
  let dead = false;
  const disk = new Proxy(real, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        dead ||= dies(String(name), args);
        if (dead) throw new SnapError('interrupted', 'killed');
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { disk, isDead: () => dead };
}
