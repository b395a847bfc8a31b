/** The version of this program; test/structure checks it against package.json. */
export const VERSION = '0.1.0';
export const PROGRAM = `snap ${VERSION}`;
