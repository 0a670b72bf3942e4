/**
 * RTM_{NEW,DEL,GET}TFILTER: what `tc filter` asks for. Linux 6.1 net/sched/cls_api.c: tc_new_tfilter(), tc_del_tfilter(),
 * tc_dump_tfilter().
 */
import { defineState, type Host, type KernelImage, type NetlinkAnswer } from '#kernel/core'
import { deviceByIndex, devices, type NetDevice, refuse } from '#kernel/net'
import { type Action, type ActionData, createAction } from './actions.ts'
import { peekTree, treeOf } from './api.ts'
import type { Filter, FilterList, Proto } from './classifier.ts'
import { createClassifier, type FilterContext } from './classifiers.ts'
import type { ActionMessage, FilterMessage, FilterRequest } from './messages.ts'
import { type Classes, major, type Sch } from './sch.ts'

const DONE: NetlinkAnswer = { ok: true, messages: [] }

/** Numbers of actions, by kind. */
const actionNumbers = defineState(() => new Map<string, Set<number>>())
/** Who a filter's class is told of. */
const bound = new WeakMap<Filter, { classes: Classes; cl: unknown; actions: Action[] }>()
/** The next table of u32, for each place that has filters. */
const tables = new WeakMap<FilterList, number>()

interface FilterPlace {
  sch: Sch
  list: FilterList
  parent: number
}

/** The filters that a parent names; 0: the root's. */
function placeOf(device: NetDevice, parent: number): FilterPlace | ReturnType<typeof refuse> {
  const tree = treeOf(device)
  const at = parent === 0 ? (tree.root?.handle ?? 0) : parent
  const sch = tree.lookup(major(at))
  if (sch === undefined) return refuse('EINVAL', "Parent Qdisc doesn't exists")
  const { classes } = sch
  if (classes?.filters === undefined) {
    return refuse(classes ? 'EOPNOTSUPP' : 'EINVAL', classes ? 'Class does not support blocks' : 'Qdisc not classful')
  }
  let cl: unknown
  if ((at & 0xffff) !== 0) {
    cl = classes.find(at)
    if (cl === undefined) return refuse('ENOENT', "Specified class doesn't exist")
  }
  return { sch, list: classes.filters(cl) as FilterList, parent: at }
}

function contextOf(host: Host, list: FilterList): FilterContext {
  return {
    action(data: ActionData) {
      const numbers = actionNumbers.of(host)
      const used = numbers.get(data.kind) ?? new Set()
      numbers.set(data.kind, used)
      let index = 1
      while (used.has(index)) index++
      used.add(index)
      return createAction(data, index, () => host.sim.nowNs)
    },
    newTable() {
      const table = tables.get(list) ?? 0x800
      tables.set(list, table + 1)
      return table
    },
  }
}

export function newFilter(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Extract<FilterRequest, { type: 'RTM_NEWTFILTER' }>
  const device = deviceByIndex(host, request.ifindex)
  if (device === undefined) return refuse('ENODEV')
  if (request.preference === 0 && !request.create)
    return refuse('ENOENT', 'Invalid filter command with priority of zero')
  const place = placeOf(device, request.parent)
  if ('ok' in place) return place
  const { list, sch } = place
  let preference = request.preference
  let proto: Proto | undefined
  if (preference === 0) preference = list.autoPreference()
  else proto = list.find(preference)
  if (proto !== undefined && request.protocol !== proto.protocol && request.protocol !== 0) {
    return refuse('EINVAL', 'Filter with specified priority/protocol not found')
  }
  const isNew = proto === undefined
  if (proto === undefined) {
    if (request.kind === undefined || request.protocol === 0) {
      return refuse('EINVAL', 'Filter kind and protocol must be specified')
    }
    if (!request.create) return refuse('ENOENT', 'Need both RTM_NEWTFILTER and NLM_F_CREATE to create a new filter')
    const classifier = createClassifier(request.kind, contextOf(host, list))
    if (classifier === undefined) return refuse('ENOENT', 'TC classifier not found')
    proto = { preference, protocol: request.protocol, classifier }
  } else if (request.kind !== undefined && request.kind !== proto.classifier.kind) {
    return refuse('EINVAL', 'Specified filter kind does not match existing one')
  }
  const { classifier } = proto
  const existing = request.handle === 0 ? undefined : classifier.filters.find((each) => each.handle === request.handle)
  if (existing === undefined) {
    if (!request.create) return refuse('ENOENT', 'Need both RTM_NEWTFILTER and NLM_F_CREATE to create a new filter')
  } else if (request.exclusive) return refuse('EEXIST', 'Filter already exists')
  const made = classifier.change(request.handle, request.options ?? {}, existing === undefined)
  if ('ok' in made) return made
  if (existing) unbind(host, existing)
  if (isNew) list.insert(proto)
  const cl = made.classid === 0 ? undefined : sch.classes?.find(made.classid)
  if (cl !== undefined) sch.classes!.bind?.(cl, 1)
  bound.set(made, { classes: sch.classes!, cl, actions: made.actions })
  return DONE
}

function unbind(host: Host, filter: Filter): void {
  const what = bound.get(filter)
  if (what === undefined) return
  bound.delete(filter)
  if (what.cl !== undefined) what.classes.bind?.(what.cl, -1)
  for (const { kind, index } of what.actions) actionNumbers.of(host).get(kind)?.delete(index)
}

export function deleteFilter(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Extract<FilterRequest, { type: 'RTM_DELTFILTER' }>
  const device = deviceByIndex(host, request.ifindex)
  if (device === undefined) return refuse('ENODEV')
  if (request.preference === 0 && (request.protocol !== 0 || request.handle !== 0 || request.kind !== undefined)) {
    return refuse('ENOENT', 'Cannot flush filters with protocol, handle or kind set')
  }
  const place = placeOf(device, request.parent)
  if ('ok' in place) return place
  const { list } = place
  const drop = (proto: Proto) => {
    for (const filter of proto.classifier.filters) unbind(host, filter)
    list.protos = list.protos.filter((other) => other !== proto)
  }
  if (request.preference === 0) {
    for (const proto of list.protos.slice()) drop(proto)
    return DONE
  }
  const proto = list.find(request.preference)
  if (proto === undefined || (request.protocol !== 0 && proto.protocol !== request.protocol)) {
    return refuse('ENOENT', 'Filter with specified priority/protocol not found')
  }
  if (request.kind !== undefined && request.kind !== proto.classifier.kind) {
    return refuse('EINVAL', 'Specified filter kind does not match existing one')
  }
  if (request.handle === 0) {
    drop(proto)
    return DONE
  }
  const { filters } = proto.classifier
  const at = filters.findIndex((filter) => filter.handle === request.handle)
  if (at < 0) return refuse('ENOENT', 'Specified filter handle not found')
  unbind(host, filters[at]!)
  filters.splice(at, 1)
  if (filters.length === 0) drop(proto)
  return DONE
}

function actionMessage(action: Action, nowNs: number): ActionMessage {
  const { kind, index, installedNs, usedNs, firstUsedNs, bytes, packets, drops, overlimits } = action
  const options = action.options()
  return { kind, index, options, installedNs, usedNs, firstUsedNs, nowNs, bytes, packets, drops, overlimits }
}

export function getFilters(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Extract<FilterRequest, { type: 'RTM_GETTFILTER' }>
  const device = devices(host).find((each) => each.ifindex === request.ifindex)
  const messages: FilterMessage[] = []
  if (device === undefined || peekTree(device) === undefined) return { ok: true, messages }
  const place = placeOf(device, request.parent ?? 0)
  if ('ok' in place) return { ok: true, messages }
  for (const { preference, protocol, classifier } of place.list.protos) {
    if (request.preference && request.preference !== preference) continue
    if (request.protocol && request.protocol !== protocol) continue
    const common = {
      type: 'RTM_NEWTFILTER' as const,
      ifindex: device.ifindex,
      parent: place.sch.kind === 'ingress' ? place.sch.handle : place.parent,
      kind: classifier.kind,
      preference,
      protocol,
    }
    messages.push({ ...common, handle: 0 })
    for (const { handle, options } of classifier.preamble?.() ?? []) messages.push({ ...common, handle, options })
    for (const filter of classifier.filters) {
      messages.push({
        ...common,
        handle: filter.handle,
        classid: filter.classid,
        options: filter.options(),
        actions: filter.actions.map((action) => actionMessage(action, host.sim.nowNs)),
      })
    }
  }
  return { ok: true, messages }
}

/** Installs the requests about filters. */
export function installFilters(image: KernelImage): void {
  image.netlink('RTM_NEWTFILTER', newFilter)
  image.netlink('RTM_DELTFILTER', deleteFilter)
  image.netlink('RTM_GETTFILTER', getFilters)
}
