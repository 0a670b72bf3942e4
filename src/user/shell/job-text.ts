/** How a job is shown: its command, written the way bash prints trees. */
import type { AndOr, Command, PipelineNode, Redirection } from 'unbash'

/** The command's text, with single blanks and `> file` as bash has them; compound commands as they were typed. */
export function commandText(source: string, node: PipelineNode | AndOr): string {
  if (node.type === 'AndOr') {
    return node.commands
      .map((command, i) => (i > 0 ? `${node.operators[i - 1]} ` : '') + commandText(source, command))
      .join(' ')
  }
  if (node.type === 'Pipeline') {
    const prefixes = node.prefixes.map((prefix) => (prefix.type === 'Time' ? 'time ' : '! ')).join('')
    return (
      prefixes +
      node.commands
        .map((command, i) => (i > 0 ? `${node.operators[i - 1]} ` : '') + commandText(source, command))
        .join(' ')
    )
  }
  if (node.type === 'Command') return simpleText(node)
  return source.slice(node.pos, node.end).replace(/\s*\n\s*/g, ' ')
}

function simpleText(command: Command): string {
  const parts = [...command.prefix, ...(command.name ? [command.name] : []), ...command.suffix]
  const words = parts.filter((part) => part.type === 'Word' || part.type === 'Assignment').map((part) => part.text)
  return [...words, ...command.redirects.map(redirectText)].join(' ')
}

function redirectText(redirection: Redirection): string {
  const descriptor = redirection.descriptor?.type === 'FileDescriptor' ? String(redirection.descriptor.value) : ''
  if (redirection.type === 'HereDoc') return `${descriptor}${redirection.operator}${redirection.delimiter?.text ?? ''}`
  const target = redirection.target?.text ?? ''
  const tight = redirection.type === 'Redirect' && (redirection.operator === '>&' || redirection.operator === '<&')
  return `${descriptor}${redirection.operator}${tight ? '' : ' '}${target}`
}
