import { defineCommand, optionsOfHelp, UsageError } from '../command.ts'
import { print } from '../terminal.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

export const completion = defineCommand({
  name: 'completion',
  help: `Usage: kaidoku completion [OPTION]... bash|zsh|fish
Print what a shell needs to complete commands, their words and options.

  -h, --help          show this text

bash: source <(kaidoku completion bash)      zsh: source <(kaidoku completion zsh)
fish: kaidoku completion fish | source`,
  options: {},
  async main({ operands }) {
    const [shell] = operands
    if (operands.length !== 1 || !SHELLS.includes(shell as 'bash'))
      throw new UsageError(`kaidoku completion: for which shell? One of ${SHELLS.join(', ')}`)
    const { COMMANDS } = await import('../commands.ts')
    const words = new Map<string, string[]>()
    for (const [name, [, load]] of Object.entries(COMMANDS)) {
      const { help } = await load()
      words.set(name, [
        ...subWords(name, help),
        ...optionsOfHelp(help).map(({ long, argument }) => `--${long}${argument ? '=' : ''}`),
      ])
    }
    print(shell === 'fish' ? fish(words) : bash(words, shell === 'zsh'))
    return 0
  },
})

/** Sub-commands, as the lines of usage say them: `[list]`, `rename OLD NEW`, `ban|unban NAME`. */
function subWords(name: string, help: string): string[] {
  const found = [...help.matchAll(new RegExp(`^(?:Usage:|      ) kaidoku ${name} \\[OPTION\\]\\.\\.\\. (\\S+)`, 'gmu'))]
  return [...new Set(found.flatMap(([, word = '']) => word.replace(/^\[|\]$/gu, '').split('|')))].filter((word) =>
    /^[a-z][a-z-]*$/u.test(word),
  )
}

const bash = (
  words: Map<string, string[]>,
  zsh: boolean,
) => `${zsh ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_kaidoku() {
  local word=\${COMP_WORDS[COMP_CWORD]} known
  case \${COMP_CWORD}:\${COMP_WORDS[1]} in
    1:*) known='${[...words.keys()].join(' ')}' ;;
${[...words].map(([name, all]) => `    *:${name}) known='${all.join(' ')}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$known" -- "$word"))
  [[ \${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
}
complete -o default -F _kaidoku kaidoku`

const fish = (words: Map<string, string[]>) =>
  [
    `complete -c kaidoku -n __fish_use_subcommand -a '${[...words.keys()].join(' ')}'`,
    ...[...words].flatMap(([name, all]) => {
      const within = `complete -c kaidoku -n '__fish_seen_subcommand_from ${name}'`
      const subs = all.filter((word) => !word.startsWith('--'))
      return [
        ...(subs.length > 0 ? [`${within} -a '${subs.join(' ')}'`] : []),
        ...all
          .filter((word) => word.startsWith('--'))
          .map((word) => `${within} -l ${word.slice(2).replace(/=$/u, '')}${word.endsWith('=') ? ' -r' : ''}`),
      ]
    }),
  ].join('\n')
