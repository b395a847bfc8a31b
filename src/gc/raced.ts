/** Others published first, and what was worked out no longer holds: do that step again. */
export class Raced extends Error {}

/** Steps that lose this many races in a row give up; every loss means that somebody else got on. */
export const RACES_MAX = 8;
