/** RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE: `ip rule`. */
import type { KernelImage, NetlinkHandler } from '#kernel/core'
import { byFamily } from './families.ts'
import type { RuleRequest } from './netlink.ts'
import { addRule, deleteRule, dumpRules } from './rules.ts'

export function installRules(image: KernelImage): void {
  const rule = (type: string, handler: NetlinkHandler) => image.netlink(type, byFamily(image, type, handler))
  rule('RTM_GETRULE', (host) => ({ ok: true, messages: dumpRules(host) }))
  rule('RTM_NEWRULE', (host, message) => {
    const request = message as RuleRequest & { type: 'RTM_NEWRULE' }
    return addRule(host, request, request) ?? { ok: true, messages: [] }
  })
  rule('RTM_DELRULE', (host, message) => {
    return deleteRule(host, message as RuleRequest & { type: 'RTM_DELRULE' }) ?? { ok: true, messages: [] }
  })
}
