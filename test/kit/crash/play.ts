/**
 * Plays a scenario once on a traced disk, and gives every state in which a power loss at any of its operations may
 * leave the folder. Asserts the order of operations on the way: bytes before names, packs before the journal.
 */

import type { Workers } from '../../../src/work/start-workers.ts';
import { CrashModel } from './crash-model.ts';
import type { CrashState } from './crash-state.ts';
import { lucks } from './luck.ts';
import { isIndex, Stage } from './stage.ts';
import type { TraceOp } from './traced-disk.ts';

export interface Scenario {
  readonly name: string;
  /** What is there, durable, before. */
  prepare(stage: Stage): Promise<void>;
  act(stage: Stage): Promise<void>;
  /** What a person does again after the crash; it has to end well, wherever the first attempt ended. */
  readonly again?: (root: string, workers: Workers, stage: Stage) => Promise<void>;
  /** The first operation after which it may crash; those before are only there to be unsafe. */
  readonly from?: number;
}

export interface Crash {
  readonly state: CrashState;
  /** The operation after which it happened, and what that was. */
  readonly at: number;
  readonly op: string;
  readonly acknowledged: readonly string[];
}

export interface Played {
  readonly stage: Stage;
  readonly ops: readonly TraceOp[];
  crashes(random: () => number, perOp: number): Generator<Crash>;
}

export async function play(scenario: Scenario, root: string): Promise<Played> {
  const stage = new Stage(`${root}/play`);
  await scenario.prepare(stage);
  stage.keepIndex('work', `${root}/index-before`);
  const first = CrashModel.of(stage.root, isIndex);
  const committed = [...stage.pictures.keys()];
  const { ops } = stage.startTrace();
  await scenario.act(stage);
  stage.keepIndex('work', `${root}/index-after`);
  checkOrder(first.copy(), ops);
  return {
    stage,
    ops,
    crashes: function* (random, perOp) {
      const model = first.copy();
      const acknowledged = committed.filter((id) => !stage.mayGo.has(id));
      for (const [at, op] of ops.entries()) {
        model.apply(op);
        if (op.kind === 'note') {
          const id = /^ack (.*)$/.exec(op.text)?.[1];
          if (id !== undefined) acknowledged.push(id);
        }
        for (const luck of lucks(model, random, perOp))
          yield { state: model.after(luck), at, op: describe(op), acknowledged: [...acknowledged] };
      }
    },
  };
}

/** Nothing gets a name of the store before its bytes are safe; an entry, before its packs are; an answer, before its entry is. */
function checkOrder(model: CrashModel, ops: readonly TraceOp[]): void {
  const known = new Set<string>();
  for (const [at, op] of ops.entries()) {
    const fail = (what: string): never => {
      throw new Error(`operation ${at} (${describe(op)}): ${what}`);
    };
    if (
      (op.kind === 'rename' || op.kind === 'link') &&
      /(^|\/)(packs|journal|checkpoints|bases)\/|config\.json$/.test(op.to)
    ) {
      model.bytesAreSafe(op.from) || fail('its bytes are not safe yet');
      const journal = /^(.*)\/journal\/\d{12}\.json$/.exec(op.to);
      if (journal !== null) {
        const entry = JSON.parse((model.bytesOf(op.from) ?? Buffer.alloc(0)).toString('utf8')) as {
          packs: { id: string }[];
        };
        for (const { id } of entry.packs)
          model.isSafe(`${journal[1]}/packs/${id.slice(0, 2)}/${id}.pack`) || fail(`its pack ${id} is not safe yet`);
      }
    }
    model.apply(op);
    if ((op.kind === 'rename' || op.kind === 'link') && /\/journal\/\d{12}\.json$/.test(op.to)) known.add(op.to);
    if (op.kind === 'note' && op.text.startsWith('ack '))
      for (const entry of known) model.isSafe(entry) || fail(`the entry ${entry} is not safe yet`);
  }
}

function describe(op: TraceOp): string {
  if (op.kind === 'note') return op.text;
  if ('path' in op) return `${op.kind} ${op.path}`;
  if ('to' in op) return `${op.kind} ${op.from} -> ${op.to}`;
  return op.kind === 'write' ? `write of ${op.bytes.length} bytes to file ${op.file}` : `${op.kind} of file ${op.file}`;
}
