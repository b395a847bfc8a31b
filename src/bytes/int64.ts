/** Signed 64-bit integers, in which trees and records keep sizes and times. */
export const INT64_MAX = 2n ** 63n - 1n;

/** The nearest value that fits: times after April 2262, for one, come out as that. */
export function clampInt64(value: bigint): bigint {
  return value > INT64_MAX ? INT64_MAX : value < -INT64_MAX ? -INT64_MAX : value;
}
