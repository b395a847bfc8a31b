import type { Runner, Sample } from './measure.ts';
/** Where one program works: the folder it snapshots and the folder it may fill with what is its own. */
export type Site = {
  tree: string;
  home: string;
};
export type StoreBytes = {
  store: number;
  index?: number;
};
export type Tool = {
  name: string;
  version: string;
  /** Writes into the tree it snapshots, so it gets a copy for itself. */
  ownTree?: boolean;
  /** A commit of an unchanged folder still makes a snapshot. */
  recordsUnchanged?: boolean;
  /** Takes part only in these jobs. */
  onlyJobs?: readonly string[];
  /** Left out of these data sets. */
  notFor?: readonly string[];
  /** Removes the store of `site` and makes a new, empty one. */
  fresh: (site: Site) => Promise<void>;
  commit?: (site: Site, message: string) => Promise<Sample>;
  checkoutAll?: (site: Site, dest: string) => Promise<Sample>;
  /** In place, to the newest snapshot but one; `checkoutNewest` comes back and is not measured. */
  checkoutBack?: (site: Site) => Promise<Sample>;
  checkoutNewest?: (site: Site) => Promise<Sample>;
  verify?: (site: Site) => Promise<Sample>;
  gc?: (site: Site, keepLast: number) => Promise<Sample>;
  storeBytes?: (site: Site) => Promise<StoreBytes>;
  /** How many snapshots the store lists; checked before and after gc. */
  snapshotCount?: (site: Site) => Promise<number>;
  log?: (site: Site) => Promise<Sample>;
  help?: (site: Site) => Promise<Sample>;
  versionCommand?: (site: Site) => Promise<Sample>;
};
export declare function snapTool(
  runner: Runner,
  setup: {
    name: string;
    node: string;
    bin: string;
    version: string;
  },
): Tool;
export declare function resticTool(runner: Runner, version: string): Tool;
export declare function borgTool(runner: Runner, version: string, compression: 'lz4' | 'zstd,3'): Tool;
export declare function gitTool(runner: Runner, version: string): Tool;
/** The physical neighbours: copying without any store, and one compressed stream. */
export declare function copyTool(runner: Runner): Tool;
export declare function tarTool(runner: Runner, version: string): Tool;
/** The floor under every start-up time of a program that runs on Node. */
export declare function nodeTool(runner: Runner, node: string): Tool;
