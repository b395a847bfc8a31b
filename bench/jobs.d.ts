import { type Runner, type Sample } from './measure.ts';
import { type Cell, type Measurements, type Row } from './measurements.ts';
import type { Options } from './options.ts';
import type { Site, Tool } from './tools.ts';
export type Bench = {
  runner: Runner;
  measurements: Measurements;
  tools: readonly Tool[];
  options: Options;
  workDir: string;
  /** A line of progress for people. */
  say: (line: string) => void;
};
export declare const rows: {
  first: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      ratioMax: number;
    };
  };
  size: {
    unit: 'bytes';
    id: string;
    data: string;
    label: string;
    target: {
      ratioMax: number;
    };
  };
  index: {
    unit: 'bytes';
    id: string;
    data: string;
    label: string;
  };
  unchanged: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      ratioMax: number;
      notAbove: string;
    };
  };
  edit: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      ratioMax: number;
    };
  };
  checkout: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      ratioMax: number;
    };
  };
  back: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      max: number;
    };
  };
  verify: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      ratioMax: number;
    };
  };
  gc: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      ratioMax: number;
    };
  };
  gcSize: {
    unit: 'bytes';
    id: string;
    data: string;
    label: string;
  };
  startLog: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      max: number;
    };
  };
  startHelp: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      max: number;
    };
  };
  startVersion: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      max: number;
    };
  };
  tarFirst: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      ratioMax: number;
    };
  };
  tarSize: {
    unit: 'bytes';
    id: string;
    data: string;
    label: string;
  };
  tarInsert: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
    target: {
      ratioMax: number;
    };
  };
  tarAdded: {
    unit: 'bytes';
    id: string;
    data: string;
    label: string;
    target: {
      max: number;
    };
  };
  million: {
    unit: 'ms';
    id: string;
    data: string;
    label: string;
  };
};
export type Attempt = (tool: Tool, site: Site) => Promise<Cell> | undefined;
export declare function isWanted(bench: Bench, row: Row): boolean;
/** Gives every program that takes part its turn at `row`. */
export declare function takeTurns(
  bench: Bench,
  row: Row,
  round: number,
  sites: ReadonlyMap<Tool, Site>,
  attempt: Attempt,
): Promise<void>;
/** Makes an empty store, then measures the first commit into it. */
export declare const firstCommit: Attempt;
/** The attempt that runs one verb, for programs that have it. */
export declare function verb(pick: (tool: Tool) => ((site: Site) => Promise<Sample>) | undefined): Attempt;
/** An empty or absent store is a failure, never a small one. */
export declare const storeSize: Attempt;
/** `attempt` only for programs that did `row` without a failure: what comes after one would mean nothing. */
export declare function after(bench: Bench, row: Row, attempt: Attempt): Attempt;
/** A folder for each program's own, and a tree: the shared one, or a copy for those that write into it. */
export declare function makeSites(bench: Bench, data: string, sharedTree: string): Promise<Map<Tool, Site>>;
/** Every tree in use, once. */
export declare function treesOf(sites: ReadonlyMap<Tool, Site>): string[];
