/**
 * The lab file: YAML to a plan. Everything is checked, every mistake is located, and all are reported at once. The YAML
 * is walked as a tree with positions, and anchors are refused: a lab has no use for them, and a bomb has.
 */

import { isAlias, isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { closest, parseDuration, parsePercent, parseRate } from '#base/text'
import { formatIpv4, formatIpv6, inPrefixIpv6, maskOf, parseIpv4, parseIpv6 } from '#wire/inet'
import { formatMac } from '#wire/link'
import { machineOf } from './machine.ts'
import type { Mistakes, SourcePosition } from './mistakes.ts'
import type { AddressPlan, HostPlan, InterfacePlan, LabPlan, NetworkPlan } from './plan.ts'

const HOSTS_MAX = 255
const INTERFACES_MAX = 256
const NETWORKS_MAX = 1000
const TEXT_MAX = 1_000_000
/** RFC 1123's host names, short and in lower case: they stand before prompts and in file names. */
const HOST_NAME = /^[a-z][a-z0-9-]{0,30}$/
const NETWORK_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,30}$/
/** Linux 6.1 net/core/dev.c: dev_valid_name() and IFNAMSIZ; kept to what needs no quoting. */
const INTERFACE_NAME = /^[a-z][a-z0-9._-]{0,14}$/
const KERNELS = ['linux-6.1', 'linux-2.6.32', 'linux-2.6.18', 'netbsd']
const HOST_KEYS = ['gateway', 'sysctl', 'ipv6', 'kernel', 'machine', 'lo']

/** A YAML text with the place where it stands in a file. */
export interface YamlText {
  text: string
  file: string
  /** Lines of the file before the text. */
  linesBefore: number
}

/** A YAML document that was read with positions; what can't be read is a mistake. */
export interface YamlSource {
  root: Node | null
  at(node: unknown): SourcePosition
  mistakes: Mistakes
}

/** Reads YAML with positions. */
export function readYaml(source: YamlText, mistakes: Mistakes): YamlSource {
  const lines = new LineCounter()
  const at = (node: unknown): SourcePosition => {
    const offset = (node as { range?: [number, number, number] } | null)?.range?.[0] ?? 0
    const { line, col } = lines.linePos(offset)
    return { file: source.file, line: Math.max(1, line) + source.linesBefore, column: Math.max(1, col) }
  }
  if (source.text.length > TEXT_MAX) {
    mistakes.add(
      { file: source.file, line: source.linesBefore + 1, column: 1 },
      'the YAML is over a megabyte',
      'make it smaller',
    )
    return { root: null, at, mistakes }
  }
  const document = parseDocument(source.text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    version: '1.2',
  })
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0])
    mistakes.add(
      { file: source.file, line: Math.max(1, line) + source.linesBefore, column: Math.max(1, col) },
      `not YAML: ${error.message.split('\n')[0]}`,
      'look at the indentation and the quotes',
    )
  }
  return { root: document.contents as Node | null, at, mistakes }
}

/** The entries of a map, with mistakes for what isn't one. */
export function entriesOf(
  source: YamlSource,
  node: unknown,
  what: string,
): { key: string; keyNode: unknown; value: unknown }[] {
  if (node === null || node === undefined || (isScalar(node) && node.value === null)) return []
  if (!isMap(node)) {
    source.mistakes.add(source.at(node), `${what} must be a map`, 'write `name: value`, one a line')
    return []
  }
  const entries = []
  for (const pair of (node as YAMLMap).items) {
    if (!isScalar(pair.key)) {
      source.mistakes.add(source.at(pair.key), `${what} has a name that is no plain word`, 'use a word')
      continue
    }
    if (isAlias(pair.value)) {
      source.mistakes.add(source.at(pair.value), 'an alias', 'write the value itself')
      continue
    }
    entries.push({ key: String(pair.key.value), keyNode: pair.key, value: pair.value })
  }
  return entries
}

/** A scalar as text; undefined with a mistake if it isn't one. */
export function textOf(source: YamlSource, node: unknown, what: string): string | undefined {
  if (isScalar(node) && node.value !== null && typeof node.value !== 'object') {
    // The source text, so that 1e3 and 010 stay what was written.
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
  }
  source.mistakes.add(source.at(node), `${what} must be a text or a number`, 'write one value')
  return undefined
}

/**
 * Parses a lab: the map below `lab:` in front matter, or a lab file of its own.
 * The plan is complete only if no mistakes were added.
 */
export function planLab(source: YamlSource, lab: unknown): LabPlan {
  const { mistakes, at } = source
  const plan: LabPlan = { networks: [], hosts: [] }
  let hosts: unknown
  for (const { key, keyNode, value } of entriesOf(source, lab, 'a lab')) {
    if (key === 'networks') plan.networks = networksOf(source, value)
    else if (key === 'hosts') hosts = value
    else mistakes.add(at(keyNode), `a lab has no \`${key}\``, suggestion(key, ['networks', 'hosts']))
  }
  const names = new Set(plan.networks.map((network) => network.name))
  for (const { key, keyNode, value } of entriesOf(source, hosts, '`hosts`')) {
    if (plan.hosts.length === HOSTS_MAX) {
      mistakes.add(
        at(keyNode),
        `more than ${HOSTS_MAX} hosts`,
        'make the lab smaller: MAC addresses have one byte for the host',
      )
      break
    }
    if (!HOST_NAME.test(key)) {
      mistakes.add(
        at(keyNode),
        `\`${key}\` is no host name`,
        'use a-z, 0-9 and -, beginning with a letter, at most 31 characters',
      )
    } else if (key === 'lab' || key === 'localhost') {
      mistakes.add(at(keyNode), `a host can't be called \`${key}\``, 'choose another name')
    }
    plan.hosts.push(hostOf(source, key, value, plan.hosts.length + 1, names))
  }
  if (plan.hosts.length === 0) mistakes.add(at(lab), 'the lab has no hosts', 'add `hosts:`, or say `lab: none`')
  return plan
}

function networksOf(source: YamlSource, node: unknown): NetworkPlan[] {
  const { mistakes, at } = source
  const networks: NetworkPlan[] = []
  for (const { key, keyNode, value } of entriesOf(source, node, '`networks`')) {
    if (networks.length === NETWORKS_MAX) {
      mistakes.add(at(keyNode), `more than ${NETWORKS_MAX} networks`, 'make the lab smaller')
      break
    }
    if (!NETWORK_NAME.test(key)) {
      mistakes.add(
        at(keyNode),
        `\`${key}\` is no network name`,
        'use letters, digits, - and _, beginning with a letter',
      )
    }
    const network: NetworkPlan = { name: key, delayNs: 0, rateBps: Number.POSITIVE_INFINITY, loss: 0 }
    for (const setting of entriesOf(source, value, `network \`${key}\``)) {
      const text = textOf(source, setting.value, `\`${setting.key}\``)
      if (text === undefined) continue
      if (setting.key === 'delay') {
        const delay = parseDuration(text)
        if (delay === undefined)
          mistakes.add(at(setting.value), `\`${text}\` is no delay`, 'write it as 10ms, 250us or 1s')
        else network.delayNs = delay
      } else if (setting.key === 'rate') {
        const rate = parseRate(text)
        if (rate === undefined)
          mistakes.add(at(setting.value), `\`${text}\` is no rate`, 'write it as 100mbit, 1gbit or 64kbit')
        else network.rateBps = rate
      } else if (setting.key === 'loss') {
        const loss = parsePercent(text)
        if (loss === undefined) mistakes.add(at(setting.value), `\`${text}\` is no loss`, 'write it as 5% or 0.1%')
        else network.loss = loss
      } else {
        mistakes.add(
          at(setting.keyNode),
          `a network has no \`${setting.key}\``,
          suggestion(setting.key, ['delay', 'rate', 'loss']),
        )
      }
    }
    networks.push(network)
  }
  return networks
}

function hostOf(source: YamlSource, name: string, node: unknown, number: number, networks: Set<string>): HostPlan {
  const { mistakes, at } = source
  const host: HostPlan = {
    name,
    number,
    interfaces: [],
    loopback: [],
    gateway: undefined,
    sysctl: [],
    ipv6: false,
    kernel: KERNELS[0]!,
    machine: 'pc',
  }
  let gatewayNode: unknown
  for (const { key, keyNode, value } of entriesOf(source, node, `host \`${name}\``)) {
    if (key === 'sysctl') {
      for (const setting of entriesOf(source, value, '`sysctl`')) {
        const text = textOf(source, setting.value, `\`${setting.key}\``)
        if (!/^[a-z0-9_]+([./][A-Za-z0-9_.-]+)+$/.test(setting.key)) {
          mistakes.add(at(setting.keyNode), `\`${setting.key}\` is no sysctl`, 'write it as net.ipv4.ip_forward')
        } else if (text !== undefined) host.sysctl.push([setting.key, text])
      }
      continue
    }
    if (key === 'machine') {
      Object.assign(host, machineOf(source, value))
      continue
    }
    const text = textOf(source, value, `\`${key}\``)
    if (text === undefined) continue
    if (key === 'gateway') {
      gatewayNode = value
      for (const word of text.split(/\s+/).filter(Boolean)) {
        const six = parseIpv6(word)
        if (parseIpv4(word) !== undefined) host.gateway = word
        else if (six !== undefined) host.gateway6 = formatIpv6(six)
        else mistakes.add(at(value), `\`${word}\` is no IP address`, 'write it as 10.0.0.1 or 2001:db8::1')
      }
    } else if (key === 'ipv6') {
      if (text !== 'true' && text !== 'false')
        mistakes.add(at(value), `ipv6 can't be \`${text}\``, 'write true or false')
      host.ipv6 = text === 'true'
    } else if (key === 'kernel') {
      if (!KERNELS.includes(text)) mistakes.add(at(value), `no kernel \`${text}\``, `there is ${KERNELS.join(', ')}`)
      host.kernel = text
    } else if (key === 'lo') {
      host.loopback = addressesOf(source, value, text.split(/\s+/).filter(Boolean))
    } else if (!INTERFACE_NAME.test(key)) {
      mistakes.add(at(keyNode), `\`${key}\` is neither an interface's name nor a setting`, suggestion(key, HOST_KEYS))
    } else {
      host.interfaces.push(interfaceOf(source, host, key, keyNode, value, text, networks))
    }
  }
  if (host.interfaces.length > INTERFACES_MAX) {
    mistakes.add(
      at(node),
      `host \`${name}\` has more than ${INTERFACES_MAX} interfaces`,
      'MAC addresses have one byte for the interface',
    )
  }
  for (const gateway of [host.gateway, host.gateway6]) {
    if (gateway === undefined || onLink(host, gateway)) continue
    mistakes.add(
      at(gatewayNode),
      `the gateway ${gateway} is on none of \`${name}\`'s networks`,
      'give an interface an address beside it',
    )
  }
  const six = [...host.interfaces.flatMap((each) => each.addresses), ...host.loopback].find(isIpv6)
  if (!host.ipv6 && six !== undefined) {
    mistakes.add(at(node), `\`${name}\` has the address ${six.address} without IPv6`, 'say `ipv6: true`')
  }
  return host
}

function interfaceOf(
  source: YamlSource,
  host: HostPlan,
  name: string,
  keyNode: unknown,
  node: unknown,
  text: string,
  networks: Set<string>,
): InterfacePlan {
  const { mistakes, at } = source
  const [network = '', ...addresses] = text.split(/\s+/).filter(Boolean)
  if (!networks.has(network)) {
    const like = closest(network, networks)
    const hint = HOST_KEYS.includes(closest(name, HOST_KEYS) ?? '')
      ? suggestion(name, HOST_KEYS)
      : 'add it to `networks:`'
    mistakes.add(at(node), `there is no network \`${network}\``, like ? `did you mean \`${like}\`?` : hint)
  }
  if (host.interfaces.some((other) => other.name === name)) {
    mistakes.add(at(keyNode), `\`${name}\` is there twice`, 'give it another name')
  }
  const mac = 0x020000000000 + host.number * 256 + host.interfaces.length
  return { name, network, addresses: addressesOf(source, node, addresses), mac: formatMac(mac) }
}

function addressesOf(source: YamlSource, node: unknown, words: string[]): AddressPlan[] {
  const addresses: AddressPlan[] = []
  for (const word of words) {
    const [address = '', prefix = '', ...more] = word.split('/')
    const ip = parseIpv4(address)
    const length = /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
    const six = parseIpv6(address)
    if (six !== undefined && length >= 0 && length <= 128 && more.length === 0) {
      addresses.push({ address: formatIpv6(six), prefix: length })
    } else if (ip === undefined || length < 0 || length > 32 || more.length > 0) {
      source.mistakes.add(source.at(node), `\`${word}\` is no address with a prefix`, 'write it as 10.0.0.1/24')
    } else addresses.push({ address: formatIpv4(ip), prefix: length })
  }
  return addresses
}

function isIpv6(each: AddressPlan): boolean {
  return each.address.includes(':')
}

function onLink(host: HostPlan, gateway: string): boolean {
  const six = parseIpv6(gateway)
  if (six !== undefined) {
    return host.interfaces.some((iface) =>
      iface.addresses.some((each) => isIpv6(each) && inPrefixIpv6(six, parseIpv6(each.address)!, each.prefix)),
    )
  }
  const target = parseIpv4(gateway)!
  return host.interfaces.some((iface) =>
    iface.addresses.some(({ address, prefix }) => {
      if (parseIpv4(address) === undefined) return false
      const mask = maskOf(prefix)
      return (parseIpv4(address)! & mask) === (target & mask)
    }),
  )
}

function suggestion(word: string, known: string[]): string {
  const like = closest(word, known)
  return like ? `did you mean \`${like}\`?` : `there is ${known.join(', ')}`
}
