/** What clients may ask the master: the answers behind cl_status. heartbeat 3.0.6 heartbeat/hb_api.c */
import type { HaConfig } from './configuration.ts'
import type { HaNode } from './nodes.ts'
import type { Resources } from './resources.ts'

export interface ApiView {
  readonly config: HaConfig
  readonly nodes: HaNode[]
  readonly self: HaNode
  readonly resources: Resources
}

/** A request's words to an answer: `+` and what was asked for, or `-` and why not. */
export function answer(view: ApiView, [request, ...words]: string[]): string {
  const node = view.nodes.find(({ name }) => name === words[0]?.toLowerCase())
  const link = node?.links.find(({ name }) => name === words[1])
  switch (request) {
    case 'nodelist':
      // From the last to the first.
      return `+${view.nodes
        .map(({ name }) => name)
        .reverse()
        .join('\n')}`
    case 'iflist':
      return node
        ? `+${node.links
            .map(({ name }) => name)
            .reverse()
            .join('\n')}`
        : '-'
    case 'nodestatus':
      return node ? `+${node.status}` : '-'
    case 'nodeweight':
      return node ? `+${node.weight}` : '-'
    case 'nodesite':
      return node ? `+${node.site}` : '-'
    case 'nodetype':
      return node ? `+${node.ping ? 'ping' : 'normal'}` : '-'
    case 'ifstatus':
      return link ? `+${link.status}` : '-'
    case 'getparm': {
      const value = view.config.parameters.get(words[0] ?? '')
      return value === undefined ? '-' : `+${value}`
    }
    case 'getrsc':
      return `+${view.resources.describe()}`
    case 'mynodeid':
      return `+${view.self.name}`
    default:
      return '-'
  }
}
