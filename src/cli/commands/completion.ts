/**
 * `snap completion`: scripts for shells, made from the tree of commands itself, so that they never lag behind it. They
 * complete commands and options; paths are left to the shell.
 */
import type { Option } from 'commander';
import { Argument, Command } from 'commander';
import { SnapError } from '../../errors.ts';
import type { DefineCommand } from '../commands.ts';

/** A command with the words that lead to it: "", "config", "config set". */
interface Node {
  readonly way: string;
  readonly command: Command;
}

const GENERATORS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export const completionCommand: DefineCommand = (action) => {
  const completion = new Command('completion');
  return completion
    .summary('print a script that completes commands in your shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(Object.keys(GENERATORS)).argParser(asTyped))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(snap completion bash)          in ~/.bashrc\n  source <(snap completion zsh)           in ~/.zshrc, after compinit\n  snap completion fish > ~/.config/fish/completions/snap.fish',
    )
    .action(
      action('completion', async (face, [shell]: [string]) => {
        const generator = new Map(Object.entries(GENERATORS)).get(shell);
        if (generator === undefined)
          throw new SnapError('usage', `there are no completions for "${shell}"`, {
            hint: `There are for ${Object.keys(GENERATORS).join(', ')}.`,
          });
        const script = generator(nodesOf(completion.parent ?? completion, ''));
        face.data({ schema: 1, type: 'completion', shell, script });
        face.print(script.trimEnd());
      }),
    );
};

/** In place of the parser's check of the choices, which has its own words. */
function asTyped(value: string): string {
  return value;
}

function nodesOf(command: Command, way: string): Node[] {
  return [{ way, command }, ...command.commands.flatMap((below) => nodesOf(below, `${way} ${below.name()}`.trim()))];
}

/** Commands below, and choices of the first argument. */
function wordsAfter(command: Command): { readonly word: string; readonly help: string }[] {
  const below = command.commands.map((sub) => ({ word: sub.name(), help: sub.summary() || sub.description() }));
  const choices = command.registeredArguments[0]?.argChoices ?? [];
  return [...below, ...choices.map((word) => ({ word, help: '' }))];
}

function optionsOf(command: Command): Option[] {
  return [...command.options, ...command.createHelp().visibleOptions(command)].filter(
    (option, i, all) => all.findIndex((other) => other.flags === option.flags) === i,
  );
}

function flagsOf(option: Option): string[] {
  return [option.short, option.long].filter((flag) => typeof flag === 'string');
}

function bashScript(nodes: readonly Node[]): string {
  const known = nodes.flatMap(({ way }) => (way === '' ? [] : [`' ${way}'`])).join('|');
  const cases = nodes.map(({ way, command }) => {
    const words = wordsAfter(command).map(({ word }) => word);
    const flags = optionsOf(command).flatMap(flagsOf);
    return `    '${way === '' ? '' : ` ${way}`}') words='${words.join(' ')}' flags='${flags.join(' ')}' ;;`;
  });
  return `# bash completion of snap
_snap() {
  local current="\${COMP_WORDS[COMP_CWORD]}" way='' words='' flags='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$way \${COMP_WORDS[i]}" in
      ${known}) way="$way \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$way" in
${cases.join('\n')}
  esac
  if [[ "$current" == -* ]]; then words="$flags"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _snap snap
`;
}

function zshScript(nodes: readonly Node[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const item = (word: string, help: string): string =>
    quote(help === '' ? word : `${word}:${help.replaceAll(':', '\\:')}`);
  const known = nodes.flatMap(({ way }) => (way === '' ? [] : [`' ${way}'`])).join('|');
  const cases = nodes.map(({ way, command }) => {
    const items = wordsAfter(command).map(({ word, help }) => item(word, help));
    const flags = optionsOf(command).flatMap((option) => flagsOf(option).map((flag) => item(flag, option.description)));
    return `    '${way === '' ? '' : ` ${way}`}') items=(${items.join(' ')}); flags=(${flags.join(' ')}) ;;`;
  });
  return `#compdef snap
_snap() {
  local way='' i
  local -a items flags
  for ((i = 2; i < CURRENT; i++)); do
    case "$way \${words[i]}" in
      ${known}) way="$way \${words[i]}" ;;
    esac
  done
  case "$way" in
${cases.join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe 'option' flags
  elif ((\${#items})); then
    _describe 'command' items
  else
    _files
  fi
}
compdef _snap snap
`;
}

function fishScript(nodes: readonly Node[]): string {
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = nodes.flatMap(({ way, command }) => {
    const seen = way
      .split(' ')
      .filter((name) => name !== '')
      .map((name) => `__fish_seen_subcommand_from ${name}`);
    const words = wordsAfter(command);
    const here = way === '' ? ['__fish_use_subcommand'] : seen;
    const not =
      way === '' || words.length === 0
        ? []
        : [`not __fish_seen_subcommand_from ${words.map(({ word }) => word).join(' ')}`];
    const wordLines = words.map(
      ({ word, help }) =>
        `complete -c snap -f -n ${quote([...here, ...not].join('; and '))} -a ${quote(word)} -d ${quote(help)}`,
    );
    const optionLines = optionsOf(command).map((option) => {
      const long = option.long === undefined ? '' : ` -l ${option.long.replace(/^--/, '')}`;
      const short = option.short === undefined ? '' : ` -s ${option.short.replace(/^-/, '')}`;
      const condition = seen.length === 0 ? '' : ` -n ${quote(seen.join('; and '))}`;
      return `complete -c snap${condition}${short}${long}${option.required ? ' -r' : ''} -d ${quote(option.description)}`;
    });
    return [...wordLines, ...optionLines];
  });
  return `# fish completion of snap\n${lines.join('\n')}\n`;
}
