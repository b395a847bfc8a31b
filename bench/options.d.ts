export declare const usage =
  'node bench/run.ts [options]\n  --quick            a small part of the data, one round; to try the harness, not to quote\n  --rounds <n>       rounds of the interleaved runs (3; quick: 1)\n  --dir <folder>     where to work (/dev/shm when it has room, else the temporary folder)\n  --data <sets>      linux,binary,million (linux,binary)\n  --only <jobs>      measure only these jobs; their preparation runs all the same\n  --tools <names>    only these programs, by name ("snap,restic,borg,git")\n  --node <binary>    run snap with this node too, as one more column\n  --bin <file>       the snap.js to run (bin/snap.js of this checkout)\n  --linux <folder>   an extracted Linux source to copy, instead of Debian\'s package\n  --out <folder>     where latest.json and chart.svg go (bench/results; quick: not written unless given)\nJobs: first size unchanged edit checkout back verify gc start-log start-help start-version\n      tar-first tar-size tar-insert tar-added million';
export declare const dataSets: readonly ['linux', 'binary', 'million'];
export type DataSet = (typeof dataSets)[number];
export type Options = {
  quick: boolean;
  rounds: number;
  dir: string;
  data: readonly DataSet[];
  only: readonly string[] | undefined;
  tools: readonly string[] | undefined;
  node: string | undefined;
  bin: string | undefined;
  linux: string | undefined;
  out: string | undefined;
};
/** Throws an Error with one sentence when an option makes no sense; undefined for `--help`. */
export declare function readOptions(args: readonly string[], resultsDir: string): Options | undefined;
export type Machine = {
  cpu: string;
  cores: number;
  memoryBytes: number;
  kernel: string;
  node: string;
  workDir: string;
  fileSystem: string;
};
export declare function describeMachine(workDir: string): Promise<Machine>;
