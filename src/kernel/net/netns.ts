/**
 * A network namespace's beginning and end, and the numbers by which namespaces know each other.
 *
 * Linux 6.1 net/core/net_namespace.c: rtnl_net_newid(), rtnl_net_getid(), unhash_nsid(); net/core/dev.c:
 * default_device_exit_net(), default_device_exit_batch(); net/ipv4/devinet.c: devinet_init_net().
 */
import {
  defineState,
  type Host,
  integerSysctl,
  type KernelImage,
  type NetlinkAnswer,
  netnsByReference,
  netnsesOf,
} from '#kernel/core'
import type { NetDevice } from './device.ts'
import { netState } from './devices.ts'
import { CONF_ALL, CONF_DEFAULT } from './inetdev.ts'
import type { NetnsRequest } from './netlink.ts'
import { refuse } from './refusal.ts'
import { moveToNetns, unregisterDevices } from './unregister.ts'

/** net.core.devconf_inherit_init_net. */
const inherits = defineState(() => ({ value: 0 }), { per: 'machine' })

/** It begins with the initial namespace's `all` and `default`, whatever its maker's were. */
function begin(netns: Host): void {
  const net = netState.of(netns)
  const initial = netState.peek(netns.base!)
  const reset = inherits.peek(netns)?.value === 2
  if (initial !== undefined) net.neighbours.parms = initial.neighbours.parms
  net.confAll = reset ? CONF_ALL : (initial?.confAll ?? CONF_ALL)
  net.confDefault = reset ? CONF_DEFAULT : (initial?.confDefault ?? CONF_DEFAULT)
  if (net.confDefault === CONF_DEFAULT) return
  for (const { inet } of net.devices)
    inet.conf = net.confDefault.with('disableXfrm', 1, true).with('disablePolicy', 1, true)
}

/** Cards return to the initial namespace; what software made is deleted. */
function end(netns: Host): void {
  const net = netState.peek(netns)
  if (net === undefined) return
  const machine = netns.base!
  for (const device of net.devices.slice()) {
    if (device.looks.netnsLocal || device.linkKind !== undefined) continue
    const taken = netState.of(machine).byName.has(device.name)
    moveToNetns(device, machine, taken ? `dev${device.ifindex}` : undefined)
  }
  const gone = new Set<NetDevice>()
  for (const device of net.devices.slice().reverse()) {
    gone.add(device)
    for (const each of device.linkKind?.remove?.(device) ?? []) gone.add(each)
  }
  unregisterDevices([...gone])
  for (const other of [machine, ...netnsesOf(machine)]) netState.peek(other)?.netnsIds?.delete(netns)
}

type Peer = { ok: true; peer: Host } | ReturnType<typeof refuse>

function peerOf(host: Host, request: NetnsRequest): Peer {
  if (request.fd === undefined && request.pid === undefined && request.nsid === undefined) {
    return refuse('EINVAL', 'Peer netns reference is missing')
  }
  if (request.fd === undefined && request.pid === undefined) {
    for (const [peer, id] of netState.of(host).netnsIds ?? []) if (id === request.nsid) return { ok: true, peer }
    return refuse('ENOENT', 'Peer netns reference is invalid')
  }
  const reference: { fd?: number; pid?: number } = {}
  if (request.fd !== undefined) reference.fd = request.fd
  else reference.pid = request.pid!
  const found = netnsByReference(host, reference)
  return found.ok ? { ok: true, peer: found.value } : refuse(found.errno, 'Peer netns reference is invalid')
}

function newNsid(host: Host, message: unknown): NetlinkAnswer {
  const { fd, pid, nsid = -1 } = message as NetnsRequest
  const found = peerOf(host, { type: 'RTM_NEWNSID', fd, pid } as NetnsRequest)
  if (!found.ok) return found
  const net = netState.of(host)
  if (net.netnsIds?.has(found.peer)) return refuse('EEXIST', 'Peer netns already has a nsid assigned')
  if (nsid < 0) net.netnsId(found.peer)
  else {
    net.netnsIds ??= new Map()
    if ([...net.netnsIds.values()].includes(nsid)) return refuse('EEXIST', 'The specified nsid is already used')
    net.netnsIds.set(found.peer, nsid)
  }
  return { ok: true, messages: [] }
}

function getNsid(host: Host, message: unknown): NetlinkAnswer {
  const request = message as NetnsRequest
  let asked = host
  if (request.targetNsid !== undefined) {
    const target = peerOf(host, { type: 'RTM_GETNSID', nsid: request.targetNsid })
    if (!target.ok) return refuse('EINVAL', 'Invalid target network namespace id')
    asked = target.peer
  }
  const { netnsIds } = netState.of(asked)
  const numbers = (ids: number[]) => ids.sort((a, b) => a - b).map((nsid) => ({ type: 'RTM_NEWNSID', nsid }))
  if (request.dump) return { ok: true, messages: numbers([...(netnsIds?.values() ?? [])]) }
  const found = peerOf(host, request)
  if (!found.ok) return found
  return { ok: true, messages: numbers([netnsIds?.get(found.peer) ?? -1]) }
}

/** Installs what namespaces need of the network. */
export function installNetns(image: KernelImage): void {
  image.netlink('RTM_NEWNSID', newNsid)
  image.netlink('RTM_GETNSID', getNsid)
  image.onNetns(begin)
  image.onNetnsEnd(end)
  image.sysctl(
    integerSysctl(
      'net.core.devconf_inherit_init_net',
      (host) => inherits.peek(host)?.value ?? 0,
      (host, _instance, value) => {
        inherits.of(host).value = value
      },
      { min: 0, max: 3 },
    ),
  )
}
