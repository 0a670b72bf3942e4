/** RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE: `ip rule`. */
import type { KernelImage } from '#kernel/core'
import type { RuleRequest } from './netlink.ts'
import { addRule, deleteRule, dumpRules } from './rules.ts'

export function installRules(image: KernelImage): void {
  image.netlink('RTM_GETRULE', (host) => ({ ok: true, messages: dumpRules(host) }))
  image.netlink('RTM_NEWRULE', (host, message) => {
    const request = message as RuleRequest & { type: 'RTM_NEWRULE' }
    return addRule(host, request, request) ?? { ok: true, messages: [] }
  })
  image.netlink('RTM_DELRULE', (host, message) => {
    return deleteRule(host, message as RuleRequest & { type: 'RTM_DELRULE' }) ?? { ok: true, messages: [] }
  })
}
