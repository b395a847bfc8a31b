/**
 * Globs as people type them, before picomatch and fast-glob make regular expressions of them: what would take either
 * of them seconds, or all memory, is refused. Measured: five "*" in one name take 40 s against a name of 255 letters.
 */
import { SnapError } from '../errors.ts';

const GLOB_LENGTH_MAX = 4096;
const WILDCARDS_PER_NAME_MAX = 4;
const GLOBSTARS_MAX = 4;
const ALTERNATIVES_MAX = 1000;

/** The glob itself. Throws `usage` for one that cannot be matched in reasonable time. */
export function checkGlob(glob: string): string {
  const fault = globFault(glob);
  if (fault === undefined) return glob;
  throw unusableGlob(glob, fault);
}

export function unusableGlob(glob: string, fault: string, cause?: unknown): SnapError {
  const shown = JSON.stringify(glob.length > 80 ? `${glob.slice(0, 80)}…` : glob);
  return new SnapError('usage', `${shown} is not a usable pattern: ${fault}`, {
    hint: 'One "*" stands for any text within a name, "**" for any folders: use fewer, or name the paths.',
    cause,
  });
}

function globFault(glob: string): string | undefined {
  if (glob.length > GLOB_LENGTH_MAX) return `it is longer than ${GLOB_LENGTH_MAX} characters`;
  if (glob.includes('\0')) return 'no name holds NUL';
  if ((glob.match(/\*\*+/g) ?? []).length > GLOBSTARS_MAX) return `it has more than ${GLOBSTARS_MAX} "**"`;
  if (glob.split('/').some((name) => (name.match(/\*+|[+@!?]\(/g) ?? []).length > WILDCARDS_PER_NAME_MAX))
    return `it has more than ${WILDCARDS_PER_NAME_MAX} wildcards in one name`;
  // "!(a)+b" and "+(a*)" become regular expressions that try every way to split a name: exponential time.
  if (/\)[+{]|[+*]\([^)]*[*+?]/.test(glob)) return 'it repeats a group that has wildcards or is repeated itself';
  if (alternatives(glob) > ALTERNATIVES_MAX) return `its braces stand for more than ${ALTERNATIVES_MAX} patterns`;
  return undefined;
}

/** At least as many patterns as the braces of `glob` stand for: the product of what each brace has inside. */
function alternatives(glob: string): number {
  let product = 1;
  const open: number[] = [];
  for (let i = 0; i < glob.length; i++) {
    const character = glob[i];
    if (character === '{') {
      open.push(1);
      const range = /^\{([^{},.]+)\.\.([^{},.]+)/.exec(glob.slice(i, i + 80));
      if (range !== null) product *= Math.abs(rangeEnd(range[2] ?? '') - rangeEnd(range[1] ?? '')) + 1;
    } else if (character === ',' && open.length > 0) open.push((open.pop() ?? 0) + 1);
    else if (character === '}') product *= open.pop() ?? 1;
  }
  return product;
}

/** "{1..9}" counts in numbers, "{a..z}" in characters. */
function rangeEnd(text: string): number {
  const number = Number(text);
  return Number.isNaN(number) ? text.charCodeAt(0) : number;
}
