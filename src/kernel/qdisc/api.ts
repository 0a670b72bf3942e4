/**
 * RTM_{NEW,DEL,GET}QDISC and RTM_{NEW,DEL,GET}TCLASS: what `tc qdisc` and `tc class` ask for, with the kernel's refusals.
 *
 * Linux 6.1 net/sched/sch_api.c: tc_modify_qdisc(), tc_get_qdisc(), qdisc_graft(), tc_dump_qdisc(), tc_ctl_tclass().
 */
import { NotModelled } from '#base/check'
import { defineState, type Host, type KernelImage, type NetlinkAnswer } from '#kernel/core'
import { deviceByIndex, devices, type NetDevice, type Refusal, refuse } from '#kernel/net'
import { DeviceQdiscs } from './device-qdiscs.ts'
import { PRIOMAP } from './fifo.ts'
import { FqCodel } from './fq-codel.ts'
import { KINDS, NOT_MODELLED } from './kinds.ts'
import type { ClassRequest, QdiscMessage, QdiscRequest, TrafficClassMessage } from './messages.ts'
import { type Data, major, makeHandle, type Sch, TC_H_INGRESS, TC_H_ROOT } from './sch.ts'

/** Handles that nobody chose go up, over all devices of a machine. qdisc_alloc_handle(). */
const handles = defineState(() => ({ last: 0x80000000 }), { per: 'machine' })

/** A device's disciplines, once somebody has asked for others than the kernel's. */
const trees = new WeakMap<NetDevice, DeviceQdiscs>()

export function treeOf(device: NetDevice): DeviceQdiscs {
  let tree = trees.get(device)
  if (tree === undefined) {
    tree = new DeviceQdiscs(device)
    trees.set(device, tree)
  }
  return tree
}

export function peekTree(device: NetDevice): DeviceQdiscs | undefined {
  return trees.get(device)
}

const DONE: NetlinkAnswer = { ok: true, messages: [] }

function allocateHandle(host: Host, tree: DeviceQdiscs): number {
  const state = handles.of(host)
  do state.last = state.last + 0x10000 >= 2 ** 32 ? 0x80010000 : state.last + 0x10000
  while (tree.lookup(state.last))
  return state.last
}

/** The discipline below a class. qdisc_leaf(). */
function leafOf(above: Sch, classid: number): Sch | undefined {
  const cl = above.classes?.find(classid)
  return cl === undefined ? undefined : above.classes!.leaf(cl)
}

/** What a request names by its parent, if anything but the kernel's own is there. */
function atParent(tree: DeviceQdiscs, parent: number): { above?: Sch; sch?: Sch | undefined } | Refusal {
  if (parent === TC_H_ROOT) return { sch: tree.root }
  if (parent === TC_H_INGRESS) return { sch: tree.ingress }
  const above = tree.lookup(major(parent))
  if (above === undefined) return refuse('ENOENT', 'Failed to find specified qdisc')
  const sch = leafOf(above, parent)
  return { above, sch: sch?.hidden ? undefined : sch }
}

export function newQdisc(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Extract<QdiscRequest, { type: 'RTM_NEWQDISC' }>
  const device = deviceByIndex(host, request.ifindex)
  if (device === undefined) return refuse('ENODEV')
  const tree = treeOf(device)
  let sch: Sch | undefined
  let above: Sch | undefined
  const { handle, kind } = request
  if (request.parent !== 0) {
    const at = atParent(tree, request.parent)
    if ('ok' in at) return at
    above = at.above
    sch = at.sch
    if (sch === undefined || handle === 0 || sch.handle !== handle) {
      if (handle !== 0) {
        if (sch !== undefined && !request.replace) return refuse('EEXIST', 'NLM_F_REPLACE needed to override')
        if ((handle & 0xffff) !== 0) return refuse('EINVAL', 'Invalid minor handle')
        sch = tree.lookup(handle)
        if (sch === undefined) return create(tree, above, request)
        if (sch.parent !== request.parent) {
          return refuse('EINVAL', 'Cannot move an existing qdisc to a different parent')
        }
        if (request.exclusive) return refuse('EEXIST', 'Exclusivity flag on, cannot override')
        if (kind !== undefined && kind !== sch.kind) return refuse('EINVAL', 'Invalid qdisc name')
        if (sch === tree.ingress) return refuse('EINVAL', 'Cannot regraft ingress or clsact Qdiscs')
        if (sch === above) return refuse('ELOOP', 'Qdisc parent/child loop detected')
        throw new NotModelled('a discipline below two classes')
      }
      if (sch === undefined) return create(tree, above, request)
      // Some discipline is there already: changed if it is of that kind, else another one takes its place.
      if (kind !== undefined && kind !== sch.kind) {
        const change = !request.create && !request.replace && !request.exclusive
        return create(tree, above, change ? { ...request, create: true } : request)
      }
    }
  } else {
    if (handle === 0) return refuse('EINVAL', 'Handle cannot be zero')
    sch = tree.lookup(handle)
  }
  if (sch === undefined) return refuse('ENOENT', 'Specified qdisc not found')
  if (request.exclusive) return refuse('EEXIST', 'Exclusivity flag on, cannot modify')
  if (kind !== undefined && kind !== sch.kind) return refuse('EINVAL', 'Invalid qdisc name')
  if (request.options === undefined) return DONE
  return sch.change(request.options, false) ?? DONE
}

function create(
  tree: DeviceQdiscs,
  above: Sch | undefined,
  request: Extract<QdiscRequest, { type: 'RTM_NEWQDISC' }>,
): NetlinkAnswer {
  if (!request.create) return refuse('ENOENT', 'Qdisc not found. To create specify NLM_F_CREATE flag')
  const { kind, parent } = request
  if (kind === undefined || !Object.hasOwn(KINDS, kind)) {
    if (kind !== undefined && NOT_MODELLED.has(kind)) throw new NotModelled(`the discipline ${kind}`)
    return refuse('ENOENT', 'Specified qdisc kind is unknown')
  }
  const atIngress = parent === TC_H_INGRESS
  if (!atIngress && (kind === 'ingress' || kind === 'clsact')) return refuse('EINVAL')
  if (above !== undefined && above.classes === undefined) return refuse('EINVAL', 'Parent Qdisc is not classful')
  const place = above?.classes?.find(parent)
  if (above !== undefined && place === undefined) return refuse('ENOENT', 'Specified class not found')
  const sch = KINDS[kind]!(tree)
  const { host } = tree.device
  if (atIngress) sch.handle = major(TC_H_INGRESS)
  else sch.handle = request.handle !== 0 ? request.handle : allocateHandle(host, tree)
  sch.parent = parent
  const refusal = sch.change(request.options ?? {}, true)
  if (refusal !== undefined) {
    sch.destroy()
    return refusal
  }
  if (atIngress) {
    tree.ingress?.destroy()
    tree.ingress = sch
  } else if (above === undefined) tree.setRoot(sch)
  else {
    tree.below.add(sch)
    forgotten(tree, above.classes!.graft(place, sch))
  }
  return DONE
}

function forgotten(tree: DeviceQdiscs, sch: Sch | undefined): void {
  if (sch === undefined) return
  if (sch.hidden) sch.destroy()
  else tree.forget(sch)
}

export function deleteQdisc(host: Host, message: unknown): NetlinkAnswer {
  const { ifindex, handle, parent, kind } = message as Extract<QdiscRequest, { type: 'RTM_DELQDISC' }>
  const device = deviceByIndex(host, ifindex)
  if (device === undefined) return refuse('ENODEV')
  const tree = treeOf(device)
  let sch: Sch | undefined
  let above: Sch | undefined
  if (parent !== 0) {
    if (parent !== TC_H_ROOT && parent !== TC_H_INGRESS) {
      above = tree.lookup(major(parent))
      if (above === undefined) return refuse('ENOENT', 'Failed to find qdisc with specified classid')
    }
    const at = atParent(tree, parent)
    if ('ok' in at) return at
    sch = at.sch
    if (sch === undefined) {
      if (parent === TC_H_ROOT || (above && leafOf(above, parent))) {
        return refuse('ENOENT', 'Cannot delete qdisc with handle of zero')
      }
      return refuse('ENOENT', 'Cannot find specified qdisc on specified device')
    }
    if (handle !== 0 && sch.handle !== handle) return refuse('EINVAL', 'Invalid handle')
  } else {
    sch = tree.lookup(handle)
    if (sch === undefined) return refuse('ENOENT', 'Failed to find qdisc with specified handle')
  }
  if (kind !== undefined && kind !== sch.kind) return refuse('EINVAL', 'Invalid qdisc name')
  if (parent === 0) return refuse('EINVAL', 'Classid cannot be zero')
  if (sch === tree.ingress) {
    tree.ingress = undefined
    sch.destroy()
  } else if (sch === tree.root) tree.setRoot(undefined)
  else forgotten(tree, above!.classes!.graft(above!.classes!.find(parent), undefined))
  return DONE
}

/** What the kernel gave a device that nobody asked for anything else. */
function defaultMessage(device: NetDevice): QdiscMessage | undefined {
  if (!device.everUp) return undefined
  const kind = device.looks.qdisc
  const before = peekTree(device)?.before ?? { bytes: 0, packets: 0 }
  const idle = kind === 'noqueue'
  const counters = {
    bytes: idle ? 0 : device.stats.txBytes - before.bytes,
    packets: idle ? 0 : device.stats.txPackets - before.packets,
  }
  const message: QdiscMessage = {
    type: 'RTM_NEWQDISC',
    ifindex: device.ifindex,
    handle: 0,
    parent: TC_H_ROOT,
    kind,
    refcnt: 2,
    options: {},
    counters,
    queue: { qlen: 0, backlog: 0, drops: 0, overlimits: 0, requeues: 0 },
  }
  if (kind === 'fq_codel') {
    const fresh = new FqCodel(new DeviceQdiscs(device))
    message.options = fresh.options()
    message.xstats = fresh.xstats()
  } else if (kind === 'pfifo_fast') message.options = { bands: 3, priomap: PRIOMAP }
  return message
}

function messageOf(sch: Sch): QdiscMessage {
  const { device } = sch.tree
  const { qlen, backlog, drops, overlimits, requeues } = sch
  const message: QdiscMessage = {
    type: 'RTM_NEWQDISC',
    ifindex: device.ifindex,
    handle: sch.handle,
    parent: sch.parent,
    kind: sch.kind,
    refcnt: sch === sch.tree.root ? 2 : 1,
    options: sch.options(),
    counters: { ...sch.counters },
    queue: { qlen, backlog, drops, overlimits, requeues },
  }
  const xstats = sch.xstats()
  if (xstats) message.xstats = xstats
  return message
}

/** The root, the others in the order of the kernel's hash (16 buckets, the youngest first), then what looks at what comes in. */
function messagesOf(device: NetDevice): QdiscMessage[] {
  const tree = peekTree(device)
  const list: QdiscMessage[] = []
  const root = tree?.root === undefined ? defaultMessage(device) : messageOf(tree.root)
  if (root) list.push(root)
  if (tree === undefined) return list
  const bucket = (sch: Sch) => Math.imul(sch.handle, 0x61c88647) >>> 28
  const others = [...tree.below].reverse().sort((a, b) => bucket(a) - bucket(b))
  for (const sch of others) list.push(messageOf(sch))
  if (tree.ingress) list.push(messageOf(tree.ingress))
  return list
}

export function getQdiscs(host: Host, message: unknown): NetlinkAnswer {
  const { ifindex } = message as Extract<QdiscRequest, { type: 'RTM_GETQDISC' }>
  const all = devices(host).filter((device) => ifindex === undefined || device.ifindex === ifindex)
  return { ok: true, messages: all.flatMap(messagesOf) }
}

// Classes.

/** The discipline and the number of a class that a request means. */
function classPlace(tree: DeviceQdiscs, classid: number, parent: number) {
  let qid = major(classid)
  let portid = parent
  if (portid !== TC_H_ROOT) {
    const own = major(portid)
    if (qid !== 0 && own !== 0) {
      if (qid !== own) return refuse('EINVAL')
    } else if (own !== 0) qid = own
    else if (qid === 0) qid = tree.root?.handle ?? 0
    if (portid !== 0) portid = makeHandle(qid, portid)
  } else if (qid === 0) qid = tree.root?.handle ?? 0
  const sch = tree.lookup(qid)
  if (sch === undefined) return refuse('ENOENT')
  if (sch.classes === undefined) return refuse('EINVAL')
  let clid = classid
  if (clid === 0) clid = portid === TC_H_ROOT ? qid : 0
  else clid = makeHandle(qid, clid)
  return { sch, classes: sch.classes, clid, portid, cl: clid === 0 ? undefined : sch.classes.find(clid) }
}

export function newClass(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Extract<ClassRequest, { type: 'RTM_NEWTCLASS' }>
  const device = deviceByIndex(host, request.ifindex)
  if (device === undefined) return refuse('ENODEV')
  const found = classPlace(treeOf(device), request.classid, request.parent)
  if ('ok' in found) return found
  const { classes, clid, portid, cl } = found
  if (cl === undefined && !request.create) return refuse('ENOENT')
  if (cl !== undefined && request.exclusive) return refuse('EEXIST')
  if (classes.change === undefined) return refuse('EOPNOTSUPP')
  return classes.change(clid, portid, cl, (request.options ?? {}) as Data) ?? DONE
}

export function deleteClass(host: Host, message: unknown): NetlinkAnswer {
  const { ifindex, classid, parent } = message as Extract<ClassRequest, { type: 'RTM_DELTCLASS' }>
  const device = deviceByIndex(host, ifindex)
  if (device === undefined) return refuse('ENODEV')
  const found = classPlace(treeOf(device), classid, parent)
  if ('ok' in found) return found
  if (found.cl === undefined) return refuse('ENOENT')
  if (found.classes.remove === undefined) return refuse('EOPNOTSUPP')
  return found.classes.remove(found.cl) ?? DONE
}

export function getClasses(host: Host, message: unknown): NetlinkAnswer {
  const { ifindex, parent } = message as Extract<ClassRequest, { type: 'RTM_GETTCLASS' }>
  const device = deviceByIndex(host, ifindex)
  if (device === undefined) return { ok: true, messages: [] }
  const tree = peekTree(device)
  const messages: TrafficClassMessage[] = []
  if (tree?.root === undefined) return { ok: true, messages }
  for (const sch of tree.all()) {
    if (parent !== undefined && parent !== 0 && major(parent) !== sch.handle) continue
    for (const cl of sch.classes?.list() ?? []) {
      const shown: TrafficClassMessage = { ...cl, type: 'RTM_NEWTCLASS', ifindex, kind: sch.kind }
      if (cl.counters) shown.counters = { ...cl.counters }
      messages.push(shown)
    }
  }
  return { ok: true, messages }
}

/** Installs the requests about disciplines and classes. */
export function installQdiscs(image: KernelImage): void {
  image.netlink('RTM_NEWQDISC', newQdisc)
  image.netlink('RTM_DELQDISC', deleteQdisc)
  image.netlink('RTM_GETQDISC', getQdiscs)
  image.netlink('RTM_NEWTCLASS', newClass)
  image.netlink('RTM_DELTCLASS', deleteClass)
  image.netlink('RTM_GETTCLASS', getClasses)
}
