/** The names of workspaces in snapshots. */

/** `given`, by default the name of the folder `root`; one that is no Unicode text is replaced. */
export function workspaceNameFor(root: string, given = root.slice(root.lastIndexOf('/') + 1)): string {
  return given.isWellFormed() ? given : 'workspace';
}

/** For a workspace at `root` that was a copy of one named `original`: the name of the folder, but not that one. */
export function nameBeside(root: string, original: string): string {
  const name = workspaceNameFor(root);
  return name === original ? `${name}-2` : name;
}
