/** `snap show` */
import { Command } from 'commander';
import type { Workspace } from '../../api/workspace.ts';
import { counted, formatCount, formatSize } from '../../bytes/quantity.ts';
import { formatWhen } from '../../bytes/time-expression.ts';
import type { LoggedSnapshot } from '../../history/log.ts';
import { shortId } from '../../object/blob-id.ts';
import type { TreeEntry } from '../../object/tree-entry.ts';
import { ENTRY_KIND } from '../../object/tree-entry.ts';
import { ChangeTotals, changeLine } from '../change-lines.ts';
import type { DefineCommand } from '../commands.ts';
import { changeJson, entryDate, entryJson, kindWord, modeText, octalMode, shownPath } from '../describe-entry.ts';
import type { Face } from '../face.ts';
import { jsonText } from '../json.ts';
import { gatherLines } from '../output.ts';
import { fromHere } from '../revision-arguments.ts';
import { snapshotJson } from '../snapshot-lines.ts';

const LABEL_WIDTH = 10;

export const showCommand: DefineCommand = (action) =>
  new Command('show')
    .summary('show one snapshot')
    .description(
      'Shows all that a snapshot records and what changed in it; or, of <rev>:<path>, what it records of that file or folder.',
    )
    .argument('[rev]', 'the snapshot, or <rev>:<path>', 'HEAD')
    .addHelpText('after', '\nExamples:\n  snap show\n  snap show v1.2.0\n  snap show HEAD~1:models/weights.bin')
    .action(
      action('show', (face, [text]: [string], _options: object) =>
        face.withWorkspace(async (workspace) => {
          const { resolveRevisionPath } = await import('../../api/history.ts');
          const { splitRevisionPath } = await import('../../repo/revision.ts');
          const named = await fromHere(face, workspace, text);
          if (splitRevisionPath(named).path === undefined) {
            await showSnapshot(face, workspace, named);
            return;
          }
          const { id, path, entry, tree } = await resolveRevisionPath(workspace, named);
          if (entry === undefined)
            face.data({ schema: 1, type: 'entry', snapshot: id, path: '', kind: 'folder', tree });
          else face.data({ schema: 1, type: 'entry', snapshot: id, path, ...entryJson(entry) });
          if (!face.json) await showEntry(face, workspace, named, path, entry);
        }),
      ),
    );

async function showSnapshot(face: Face, workspace: Workspace, revision: string): Promise<void> {
  const { show } = await import('../../api/history.ts');
  const shown = await show(workspace, revision);
  const { changes, ...logged } = shown;
  face.data(snapshotJson(logged));
  if (!face.json) printRecord(face, logged);
  const lines = gatherLines();
  const totals = new ChangeTotals();
  for await (const change of changes({
    foldFolders: !face.verbose && !face.json,
    metadata: face.verbose || face.json,
  })) {
    totals.add(change);
    await lines.add(face.json ? jsonText(changeJson(change)) : changeLine(face, change));
  }
  await lines.flush();
  const against = logged.snapshot.parent === logged.parent ? undefined : logged.parent;
  if (totals.lines > 0)
    face.print(` ${totals.text()}${against === undefined ? '' : ` since ${face.style('id', shortId(against))}`}`);
}

function printRecord(face: Face, { id, snapshot, tags, isHead, parent }: LoggedSnapshot): void {
  const field = (label: string, value: string): void =>
    face.print(` ${face.style('dim', label.padEnd(LABEL_WIDTH))}  ${value}`);
  const { totals, changes, git, folder } = snapshot;
  const names = [...(isHead ? ['HEAD'] : []), ...tags.map((tag) => face.safe(tag))];
  field('snapshot', `${face.style('id', id)}${names.length === 0 ? '' : `  ${face.style('ref', names.join('  '))}`}`);
  field('made', `${formatWhen(new Date(snapshot.time), face.now)}  (${snapshot.time})`);
  field(
    'by',
    `${face.safe(snapshot.user)} on ${face.safe(snapshot.host)}, in the workspace ${face.safe(snapshot.workspace.name)}`,
  );
  if (snapshot.origin === 'autosave') field('origin', 'autosave: made by snap before it changed the folder');
  const pruned =
    snapshot.parent !== null && snapshot.parent !== parent
      ? `  (made after ${shortId(snapshot.parent)}, which is pruned)`
      : '';
  field('parent', `${parent === undefined ? 'none' : face.style('id', shortId(parent))}${pruned}`);
  field('tree', snapshot.tree);
  field(
    'holds',
    `${counted(totals.files, 'file')}, ${counted(totals.folders, 'folder')}${totals.others === 0 ? '' : `, ${counted(totals.others, 'other')}`}, ${formatSize(totals.bytes)}`,
  );
  field(
    'changes',
    `${formatCount(changes.added)} added · ${formatCount(changes.changed)} changed · ${formatCount(changes.removed)} removed`,
  );
  field('new', `${formatSize(changes.newBytes)} · stored ${formatSize(changes.storedBytes)}`);
  field('folder', `mode ${folder.mode.toString(8).padStart(4, '0')}, owner ${folder.uid}:${folder.gid}`);
  if (git !== null) field('git', `${face.safe(git.commit)}${git.branch === null ? '' : `  ${face.safe(git.branch)}`}`);
  for (const [key, value] of Object.entries(snapshot.meta)) field('meta', `${face.safe(key)}=${face.safe(value)}`);
  field('program', face.safe(snapshot.program));
  for (const { path, reason } of snapshot.skipped) field('left out', `${face.safe(path)} (${face.safe(reason)})`);
  for (const path of snapshot.unsteady) field('unsteady', `${face.safe(path)} changed while it was read`);
  face.print('');
  for (const line of (snapshot.message === '' ? '(no message)' : snapshot.message.trimEnd()).split('\n'))
    face.print(`   ${face.safe(line)}`);
  face.print('');
}

async function showEntry(
  face: Face,
  workspace: Workspace,
  text: string,
  path: string,
  entry: TreeEntry | undefined,
): Promise<void> {
  const field = (label: string, value: string): void =>
    face.print(` ${face.style('dim', label.padEnd(LABEL_WIDTH))}  ${value}`);
  if (entry !== undefined) {
    field('path', shownPath(face, path, entry));
    field('kind', kindWord(entry));
    field('mode', `${modeText(entry)} (${octalMode(entry)}), owner ${entry.uid}:${entry.gid}`);
    field('modified', `${formatWhen(entryDate(entry), face.now)}  (${entryDate(entry).toISOString()})`);
    if (entry.kind === ENTRY_KIND.file) {
      const { contentId } = await import('../../history/change.ts');
      const chunks =
        'list' in entry.content ? `a list of chunks, ${entry.content.list}` : formatCount(entry.content.chunks.length);
      field('size', `${formatSize(entry.size)} (${formatCount(entry.size)} bytes)`);
      field('id', `${contentId(entry) ?? 'empty'}`);
      field('chunks', chunks);
      if (entry.linkKey !== undefined) field('links', `one file under several names (${entry.linkKey})`);
      if (entry.sparse) field('sparse', 'it has holes');
      if (entry.unsteady) field('unsteady', 'it changed while it was read');
    } else if (entry.kind === ENTRY_KIND.symlink) field('target', face.safe(entry.target));
    else if (entry.kind === ENTRY_KIND.folder) field('tree', entry.tree);
    else if (entry.kind !== ENTRY_KIND.fifo && entry.kind !== ENTRY_KIND.socket)
      field('device', `${entry.major}:${entry.minor}`);
  }
  if (entry !== undefined && entry.kind !== ENTRY_KIND.folder) return;
  const { list } = await import('../../api/history.ts');
  const lines = gatherLines();
  if (entry !== undefined) await lines.add('');
  for await (const { name, entry: child } of list(workspace, text))
    await lines.add(`   ${shownPath(face, name, child)}`);
  await lines.flush();
}
