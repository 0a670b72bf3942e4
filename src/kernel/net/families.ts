/**
 * rtnetlink's messages are a family's: AF_INET's are answered here, those of other families by whoever has registered.
 * A dump without a family is everybody's, one after the other. Linux 6.1 net/core/rtnetlink.c: rtnl_dump_all().
 */
import type { KernelImage, NetlinkAnswer, NetlinkHandler } from '#kernel/core'

/** AF_INET6's handlers by message type, as an image has them. */
export function inet6Handlers(image: KernelImage): Map<string, NetlinkHandler> {
  return image.slot('kernel/net AF_INET6 handlers', () => new Map<string, NetlinkHandler>())
}

/** AF_BRIDGE's: forwarding databases, ports and VLANs. */
export function bridgeHandlers(image: KernelImage): Map<string, NetlinkHandler> {
  return image.slot('kernel/net AF_BRIDGE handlers', () => new Map<string, NetlinkHandler>())
}

/** A handler that asks the family of a message; for GET without one, both where `all` says so. */
export function byFamily(image: KernelImage, type: string, inet: NetlinkHandler, all = false): NetlinkHandler {
  const handlers = inet6Handlers(image)
  return (host, message): NetlinkAnswer => {
    const { family } = message as { family?: string }
    if (family === 'AF_BRIDGE') {
      return bridgeHandlers(image).get(type)?.(host, message) ?? { ok: false, errno: 'EOPNOTSUPP' }
    }
    if (family === 'AF_INET6') {
      const handler = handlers.get(type)
      if (handler !== undefined) return handler(host, message)
      return type.startsWith('RTM_GET') ? { ok: true, messages: [] } : { ok: false, errno: 'EAFNOSUPPORT' }
    }
    const answer = inet(host, message)
    if (!all || family !== undefined || !answer.ok) return answer
    const other = handlers.get(type)?.(host, message)
    return other?.ok ? { ok: true, messages: [...answer.messages, ...other.messages] } : answer
  }
}
