/** Times as Node sets them: seconds as a double, of which it keeps whole microseconds (Node 20) or nanoseconds (24). */

/** From here on (the year 2106) two doubles may be more than half a microsecond apart. */
const COARSE_FROM = 2 ** 32;

/**
 * The double that gives the microsecond that `nanoseconds` (not before 1970) lies in: never a later one, whether the
 * system call's time is made from it by `time * 1e6` or from what is left of the whole second.
 */
export function secondsNotAfter(nanoseconds: bigint): number {
  const whole = Number(nanoseconds / 1_000_000_000n);
  const nanos = Number(nanoseconds % 1_000_000_000n);
  if (whole >= COARSE_FROM) {
    let coarse = whole + nanos / 1e9;
    while ((coarse - whole) * 1e9 > nanos) coarse -= gapAt(coarse);
    return coarse;
  }
  const micros = Math.floor(nanos / 1000);
  let time = whole + micros / 1e6;
  while ((time - whole) * 1e9 < micros * 1000 || Math.trunc(time * 1e6) < whole * 1e6 + micros) time += gapAt(time);
  return time;
}

/** From a double to the next. */
function gapAt(time: number): number {
  return 2 ** (Math.floor(Math.log2(time)) - 52);
}
