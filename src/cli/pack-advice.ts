/** What a person with another copy of the store is told to look for in it: packs, by name. */
import { counted, formatCount } from '../bytes/quantity.ts';
import { formatWhen } from '../bytes/time-expression.ts';
import type { FormerPack } from '../verify/former-packs.ts';
import type { Face } from './face.ts';

const PACKS_SHOWN_MAX = 20;

/** `named`: how many packs were named before this. */
export function sayWhereFrom(face: Face, former: readonly FormerPack[], named: number): void {
  if (former.length > 0)
    face.say(
      ` what is lost was in ${former.length === 1 ? 'this pack' : 'one of these packs'}, which a repair took out:`,
    );
  for (const { pack, entry, time } of former.slice(0, PACKS_SHOWN_MAX))
    face.say(`   pack ${pack}   (j${entry}, ${formatWhen(new Date(time), face.now)})`);
  if (former.length > PACKS_SHOWN_MAX)
    face.say(`   and ${formatCount(former.length - PACKS_SHOWN_MAX)} more; --json lists them`);
  if (former.length === 0 && named === 0) {
    face.say(
      ' No pack that is known held what is lost. If you have another copy of the store, put all packs of it that',
    );
    face.say(' this one lacks into the folder quarantine of this one, and run `snap repair` again.');
    return;
  }
  const packs = counted(former.length + named, 'pack')
    .replace(/^1 pack$/, 'the pack')
    .replace(/^\d.*/, 'the packs');
  face.say(` If you have another copy of the store, put ${packs} named above into the folder quarantine of this one`);
  face.say(' (missing ones in their places in packs/), or the files into your folder, and run `snap repair` again.');
}

/** "journal entry 3: it is not JSON": a reason that begins with its own place has it once. */
export function placed(place: string, reason: string): string {
  const own = `damaged ${place}: `;
  return `${place}: ${reason.startsWith(own) ? reason.slice(own.length) : reason}`;
}
