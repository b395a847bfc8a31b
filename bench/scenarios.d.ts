import { type Bench } from './jobs.ts';
/** What the data was; `countedRow` is the row whose time per file is worth a note. */
export type Description = {
  description: string;
  fileCount: number;
  countedRow?: string;
};
export declare const scenarios: {
  linux: typeof runLinux;
  binary: typeof runBinary;
  million: typeof runMillion;
};
declare function runLinux(bench: Bench): Promise<Description>;
declare function runBinary(bench: Bench): Promise<Description>;
declare function runMillion(bench: Bench): Promise<Description>;
