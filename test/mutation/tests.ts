/** The folders of src/ that are mutated, each with the tests that must notice: none that starts the built command. */
export const MUTATED: Readonly<Record<string, readonly string[]>> = {
  object: ['object/*', 'vectors/vectors'],
  pack: ['pack/*', 'vectors/pack'],
  gc: ['gc/*', 'danger/gc-model'],
  repo: [
    'repo/*',
    'api/*',
    'gc/mark',
    'history/log',
    'verify/*',
    'repair/repair',
    'danger/hostile-records',
    'danger/journal',
  ],
  checkout: ['checkout/*', 'api/undo', 'danger/readers', 'danger/hostile-target', 'danger/hostile-tree'],
};
