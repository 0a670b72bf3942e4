/**
 * Resource agents for addresses: IPaddr by ifconfig's aliases, IPaddr2 as `ip addr` has it, SendArp. Each has a script in
 * /etc/ha.d/resource.d that takes heartbeat's words, and the agent proper. resource-agents 4.12 heartbeat/{IPaddr,IPaddr2,SendArp}
 */
import { encodeUtf8 } from '#base/bytes'
import { type Body, O_CREAT, O_WRONLY, readTextFile, type Signal } from '#kernel/core'
import type { AddressMessage } from '#kernel/net'
import { Stdio } from '#user/libc'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import {
  addressesOf,
  aliasOf,
  dotted,
  findifBinary,
  findifScript,
  linksOf,
  maskOf,
  NO_ROUTE,
  parsePrefix,
} from './addresses.ts'
import { background, system } from './running.ts'
import { OCF, RSCTMP, Script } from './script.ts'

const SEND_ARP = '/usr/libexec/heartbeat/send_arp'
const LEGAL = '(start|stop|status|usage|meta-data)'
const ALIASES_MAX = 512

/** `10.0.0.1/24/eth0:label/10.0.0.255`, or without the device: `10.0.0.1/24/10.0.0.255`. */
export function parseIpArgument(word: string): { ip: string; netmask: string; nic: string; broadcast: string } {
  const [ip = '', netmask = '', third = '', fourth = ''] = word.split('/')
  return /^[0-9]/.test(third)
    ? { ip, netmask, nic: '', broadcast: third }
    : { ip, netmask, nic: third, broadcast: fourth }
}

const STATUS_TEXTS: Record<number, string> = {
  [OCF.GENERIC]: 'ERROR:  Generic error',
  [OCF.ARGS]: 'ERROR:  Illegal argument',
  [OCF.UNIMPLEMENTED]: 'ERROR:  Function unimplemented',
  4: 'ERROR:  User had insufficient privilege',
  [OCF.INSTALLED]: 'ERROR:  Program is not installed',
  [OCF.CONFIGURED]: 'ERROR:  Program is not configured',
  [OCF.NOT_RUNNING]: 'INFO:  Resource is stopped',
}

/** What an agent needs for its many small tools. */
const AGENT_COSTS_MS: Record<string, number> = { start: 110, stop: 80, monitor: 25 }

function* timed(script: Script, action: string, agent: (script: Script, action: string) => Body<number>): Body<number> {
  yield* script.sys.compute((AGENT_COSTS_MS[action] ?? 0) * 1e6)
  return yield* agent(script, action)
}

/** Runs the agent in a process of its own, and says how it went. resource.d/hto-mapfuncs: ra_execocf() */
function* wrapped(
  script: Script,
  type: string,
  instance: string,
  action: string,
  usage: string,
  agent: (script: Script, action: string) => Body<number>,
): Body<number> {
  script.name = `/usr/lib/ocf/resource.d//heartbeat/${type}`
  script.instance = instance
  const say = function* (text: string): Body<void> {
    yield* script.log(text)
    script.io.print(`${text}\n`)
  }
  if (action === 'usage' || action === 'help') {
    script.io.print(usage)
    return 1
  }
  if (!['start', 'stop', 'monitor', 'status'].includes(action)) {
    yield* say(`ERROR: Unknown operation: ${action}`)
    script.io.print(usage)
    return 1
  }
  const wanted = action === 'status' ? 'monitor' : action
  const pid = script.sys.fork((child) => {
    const own = new Script(child, new Stdio(child, type), type, instance)
    return own.io.run(timed(own, wanted, agent))
  })
  let status = 1
  for (;;) {
    const ended = yield* script.sys.waitpid(pid)
    if (ended.ok && ended.value) status = ended.value.exit ?? 1
    if (ended.ok || ended.errno !== 'EINTR') break
  }
  const text = status === 0 ? (wanted === 'monitor' ? 'INFO:  Running OK' : 'INFO:  Success') : STATUS_TEXTS[status]
  yield* say(text ?? `ERROR:  Unknown error: ${status}`)
  return text === undefined ? 1 : status
}

/** resource.d/IPaddr ADDRESS[/MASK[/NIC][/BROADCAST]] ACTION */
export function* ipaddr(script: Script, argv: string[]): Body<number> {
  const [path = '', word = '', action = ''] = argv
  const usage = `usage: ${path} <ip-address> ${LEGAL}\n`
  if (argv.length !== 3) {
    script.io.print(usage)
    return 1
  }
  const { ip, netmask, nic, broadcast } = parseIpArgument(word)
  return yield* wrapped(script, 'IPaddr', `IPaddr_${ip}`, action, usage, function* (own, wanted) {
    if (wanted === 'start') {
      const resource = yield* validateIpaddr(own, ip, netmask, nic, broadcast)
      return typeof resource === 'number' ? resource : yield* startIpaddr(own, ip, resource)
    }
    if (wanted === 'stop') return yield* stopIpaddr(own, ip)
    return ipaddrStatus(own, ip, nic === '' ? 'eth0' : nic.replace(/:.*/, ''), () => {})
  })
}

interface Alias {
  nic: string
  netmask: string
  broadcast: string
}

/** Without a device `eth0` is meant, whatever the routes say; they must agree. */
function* validateIpaddr(
  script: Script,
  ip: string,
  netmask: string,
  nic: string,
  broadcast: string,
): Body<Alias | number> {
  if (!/^[0-9].*\.[0-9].*\.[0-9].*\..*[0-9]$/s.test(ip)) {
    yield* script.ocf('ERROR', `Parameter OCF_RESKEY_ip [${ip}] not an IP address`)
    return OCF.CONFIGURED
  }
  const base = nic.replace(/:.*/, '')
  if (netmask.includes('.')) {
    const prefix = parsePrefix(netmask)
    if (prefix !== undefined) script.io.error(`Converted dotted-quad netmask to CIDR as: ${prefix}\n`)
    yield* script.io.settle()
  }
  const found = findifBinary(script.sys, ip, netmask, base, broadcast)
  if (!found.ok) {
    // Without a route it asks the BSDs' `route get`, which the one of net-tools doesn't know.
    if (found.text === NO_ROUTE) yield* system(script.sys, ['/usr/sbin/route', '-n', 'get', ip])
    script.io.error(found.text)
    yield* script.io.settle()
    yield* script.ocf('ERROR', `/usr/libexec/heartbeat/findif failed [rc=${found.status}].`)
    return OCF.GENERIC
  }
  const { device, prefix } = found.value
  const wanted = base === '' ? 'eth0' : base
  if (device !== wanted) {
    yield* script.ocf('ERROR', `Invalid parameter value: nic [${wanted}] Calculated nic: [${device}]`)
    return OCF.ARGS
  }
  const mask = dotted(prefix)
  if (netmask !== mask) yield* script.ocf('INFO', `Using calculated netmask for ${ip}: ${mask}`)
  return { nic: wanted, netmask: mask, broadcast: formatIpv4(found.value.broadcast ?? 0) }
}

function ipaddrStatus(script: Script, ip: string, nic: string, complain: (text: string) => void): number {
  const label = aliasOf(script.sys, ip)
  if (label === undefined) return OCF.NOT_RUNNING
  const device = label.replace(/:.*/, '')
  if (device === nic) return OCF.SUCCESS
  complain(`${ip} is running an interface (${device}) instead of the configured one (${nic})`)
  return OCF.GENERIC
}

function* startIpaddr(script: Script, ip: string, { nic, netmask, broadcast }: Alias): Body<number> {
  const { sys } = script
  if (ipaddrStatus(script, ip, nic, () => {}) === OCF.SUCCESS) return OCF.SUCCESS
  const label = yield* freeAlias(script, nic)
  if (label === undefined) return OCF.GENERIC
  yield* script.ocf('INFO', `eval ifconfig ${label} ${ip} netmask ${netmask} broadcast ${broadcast}`)
  const link = linksOf(sys).find(({ name }) => name === nic)
  const local = parseIpv4(ip)
  const mask = parseIpv4(netmask)!
  const prefix = Array.from({ length: 33 }, (_, bits) => bits).find((bits) => maskOf(bits) === mask)!
  const wide = parseIpv4(broadcast)!
  const added =
    link && local !== undefined
      ? sys.netlink({
          type: 'RTM_NEWADDR',
          family: 'AF_INET',
          ifindex: link.ifindex,
          local,
          prefix,
          broadcast: wide,
          label,
          create: true,
        } as {
          type: string
        })
      : undefined
  if (!added?.ok) {
    yield* script.ocf('ERROR', `Could not add ${ip} to ${nic}: rc=1`)
    return OCF.GENERIC
  }
  background(sys, [
    SEND_ARP,
    '-i',
    '500',
    '-r',
    '10',
    '-p',
    `${RSCTMP}/send_arp-${ip}`,
    nic,
    ip,
    'auto',
    ip,
    'ffffffffffff',
  ])
  return ipaddrStatus(script, ip, nic, () => {})
}

/** A number that no file remembers: each alias is a link to one file, which no two can make at once. */
function* freeAlias(script: Script, nic: string): Body<string | undefined> {
  const { sys } = script
  const base = `${RSCTMP}/IPaddr-${nic}`
  const made = yield* sys.open(base, O_WRONLY | O_CREAT, 0o644)
  if (!made.ok) return undefined
  sys.close(made.value)
  const files = sys.readdir(RSCTMP)
  const count = files.ok ? files.value.filter((name) => name.startsWith(`IPaddr-${nic}:`)).length : 0
  const first = sys.stat(`${base}:${count}`).ok ? 0 : count
  for (let number = first; number < ALIASES_MAX; number++) {
    if (sys.link(base, `${base}:${number}`).ok) return `${nic}:${number}`
  }
  return undefined
}

function* stopIpaddr(script: Script, ip: string): Body<number> {
  const { sys } = script
  yield* killSender(script, ip)
  const label = aliasOf(sys, ip)
  if (label === undefined) return OCF.SUCCESS
  script.io.error('SIOCDELRT: No such process\n')
  yield* script.io.settle()
  yield* script.ocf('INFO', `ifconfig ${label} down`)
  const its = addressesOf(sys).filter((address) => address.label === label)
  for (const address of its) remove(script, address)
  sys.unlink(`${RSCTMP}/IPaddr-${label}`)
  return OCF.SUCCESS
}

function remove(script: Script, { ifindex, local, prefix, label }: AddressMessage): boolean {
  return script.sys.netlink({ type: 'RTM_DELADDR', family: 'AF_INET', ifindex, local, prefix, label } as {
    type: string
  }).ok
}

/** Who still announces the address is ended. True if there was one. */
function* killSender(script: Script, ip: string): Body<boolean> {
  const path = `${RSCTMP}/send_arp-${ip}`
  const file = yield* readTextFile(script.sys, path)
  if (!file.ok) return false
  const pid = Number.parseInt(file.value, 10)
  const killed = pid > 0 && script.sys.kill(pid, 'SIGTERM' satisfies Signal).ok
  script.sys.unlink(path)
  return killed
}

/** resource.d/IPaddr2 ADDRESS[/PREFIX[/NIC[:LABEL][/BROADCAST]]] ACTION */
export function* ipaddr2(script: Script, argv: string[]): Body<number> {
  const [path = '', word = '', action = ''] = argv
  const usage = `usage: ${path} ip-address[/netmaskbits[/interface[:label][/broadcast]]] ${LEGAL}\n`
  if (argv.length !== 3) {
    script.io.print(usage)
    return 1
  }
  const { ip, netmask, nic, broadcast } = parseIpArgument(word)
  return yield* wrapped(script, 'IPaddr2', `IPaddr2_${ip}`, action, usage, (own, wanted) =>
    agentIpaddr2(own, wanted, ip, netmask, nic, broadcast),
  )
}

function* agentIpaddr2(
  script: Script,
  action: string,
  ip: string,
  netmask: string,
  nic: string,
  broadcast: string,
): Body<number> {
  const { sys } = script
  const [base = '', suffix = ''] = nic.split(':')
  if (base !== '' && action === 'start' && !linksOf(sys).some(({ name }) => name === base)) {
    yield* script.ocf('ERROR', `Invalid interface name [${base}]: Device "${base}" does not exist.`)
    yield* script.reason('[findif] failed')
    return OCF.CONFIGURED
  }
  if (netmask.includes('.') && parsePrefix(netmask) !== undefined) {
    const text = `Please convert dotted quad netmask ${netmask} to CIDR notation ${parsePrefix(netmask)}!`
    yield* script.ocf('WARNING', text)
  }
  const found = findifScript(sys, ip, netmask, base, broadcast)
  if (!found.ok) {
    yield* script.ocf('ERROR', found.text)
    if (action === 'stop') {
      yield* script.ocf('WARNING', '[findif] failed')
      return OCF.SUCCESS
    }
    if (action === 'monitor') {
      yield* script.ocf('INFO', '[findif] failed')
      return OCF.NOT_RUNNING
    }
    yield* script.reason('[findif] failed')
    return found.text.startsWith('Unable') ? OCF.GENERIC : OCF.CONFIGURED
  }
  const { device, prefix, broadcast: wide } = found.value
  const label = suffix === '' ? undefined : `${device}:${suffix}`
  if (label !== undefined && label.length > 15) {
    yield* script.reason(`Interface label [${label}] exceeds maximum character limit of 15`)
    return OCF.CONFIGURED
  }
  const local = parseIpv4(ip)!
  const link = linksOf(sys).find(({ name }) => name === device)
  const served = addressesOf(sys).find(
    (address) => address.local === local && address.prefix === prefix && address.ifindex === link?.ifindex,
  )
  if (action === 'monitor') return served ? OCF.SUCCESS : OCF.NOT_RUNNING
  if (action === 'stop') {
    if (sys.stat(`${RSCTMP}/send_arp-${ip}`).ok) {
      if (yield* killSender(script, ip)) yield* script.ocf('INFO', `killed previously running send_arp for ${ip}`)
      else yield* script.ocf('WARNING', `Could not kill previously running send_arp for ${ip}`)
    }
    yield* script.ocf('INFO', `IP status = ${served ? 'ok' : 'no'}, IP_CIP=`)
    if (!served) return OCF.SUCCESS
    if (remove(script, served)) {
      yield* restoreLoopback(script, ip)
      return OCF.SUCCESS
    }
    yield* script.reason(`Unable to remove IP [${ip} from interface [ ${device} ]`)
    return OCF.GENERIC
  }
  if (served) return OCF.SUCCESS
  yield* hideLoopback(script, ip, local)
  const named = wide === undefined ? '' : ` with broadcast address ${formatIpv4(wide)}`
  const extra = label === undefined ? '' : ` (with label ${label})`
  yield* script.ocf('INFO', `Adding inet address ${ip}/${prefix}${named} to device ${device}${extra}`)
  const request = {
    type: 'RTM_NEWADDR',
    family: 'AF_INET',
    ifindex: link?.ifindex ?? 0,
    local,
    prefix,
    broadcast: wide,
    label,
    create: true,
    exclusive: true,
  }
  const added = sys.netlink(request as { type: string })
  if (!added.ok) {
    yield* script.reason(`Failed to add ${ip}`)
    return OCF.GENERIC
  }
  yield* script.ocf('INFO', `Bringing device ${device} up`)
  if (device.startsWith('lo')) return OCF.SUCCESS
  const words = [
    SEND_ARP,
    '-i',
    '200',
    '-r',
    '5',
    '-p',
    `${RSCTMP}/send_arp-${ip}`,
    device,
    ip,
    'auto',
    'not_used',
    'not_used',
  ]
  yield* script.ocf('INFO', words.join(' ').replace('send_arp -i', 'send_arp  -i'))
  // What it printed is logged when it has ended: nothing.
  sys.fork(function* (child) {
    const pid = background(child, words)
    yield* child.waitpid(pid)
    // The log's tag is the agent's, whose process has gone by then.
    const own = new Script(tagged(child, sys.pid), new Stdio(child, script.name), script.name, script.instance)
    yield* own.ocf('INFO', '')
    return 0
  })
  return OCF.SUCCESS
}

/** A child of a shell that says its parent's number: `$$` stays what it was in a subshell. */
function tagged(child: Script['sys'], pid: number): Script['sys'] {
  return new Proxy(child, {
    get: (target, name) => {
      if (name === 'pid') return pid
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** With direct routing a standby may serve the address itself: on the loopback, where it would be in the way now. */
function* hideLoopback(script: Script, ip: string, local: number): Body<void> {
  const { sys } = script
  const loopback = linksOf(sys).find(({ name }) => name === 'lo')
  const hidden = addressesOf(sys).find(
    (address) => address.local === local && address.prefix === 32 && address.ifindex === loopback?.ifindex,
  )
  if (!hidden) return
  yield* script.ocf('INFO', 'Removing conflicting loopback lo.')
  sys.mkdir(RSCTMP, 0o1755)
  const file = yield* sys.open(`${RSCTMP}/${ip}`, 0o1101, 0o644)
  if (file.ok) {
    yield* sys.write(file.value, encodeUtf8(`${ip} 32 255.255.255.255 lo\n`))
    sys.close(file.value)
  }
  remove(script, hidden)
  yield* script.ocf('INFO', `ip route delete ${ip} dev lo`)
}

function* restoreLoopback(script: Script, ip: string): Body<void> {
  const { sys } = script
  const file = yield* readTextFile(sys, `${RSCTMP}/${ip}`)
  if (!file.ok || file.value === '') return
  yield* script.ocf('INFO', `Restoring loopback IP Address  ${file.value.trim()}.`)
  const loopback = linksOf(sys).find(({ name }) => name === 'lo')
  yield* script.ocf('INFO', `Adding inet address ${ip}/32 with broadcast address 255.255.255.255 to device lo`)
  const local = parseIpv4(ip)!
  sys.netlink({
    type: 'RTM_NEWADDR',
    family: 'AF_INET',
    ifindex: loopback?.ifindex ?? 1,
    local,
    prefix: 32,
    broadcast: 0xffffffff,
    create: true,
  } as {
    type: string
  })
  yield* script.ocf('INFO', 'Bringing device lo up')
  sys.unlink(`${RSCTMP}/${ip}`)
}

/** resource.d/SendArp ADDRESS/NIC ACTION */
export function* sendArpResource(script: Script, argv: string[]): Body<number> {
  const [path = '', word = '', action = ''] = argv
  const usage = `usage: ${path} ip-address/interface ${LEGAL}\n`
  if (argv.length !== 3) {
    script.io.print(usage)
    return 1
  }
  const ip = word.replace(/\/.*/, '')
  const nic = word.startsWith(`${ip}/`) ? word.slice(ip.length + 1) : word
  const instance = `SendArp_${ip}`
  const mark = `${RSCTMP}/SendArp_${instance}`
  return yield* wrapped(script, 'SendArp', instance, action, usage, function* (own, wanted) {
    const { sys } = own
    const running = sys.stat(`${RSCTMP}/send_arp-${ip}`).ok || sys.stat(mark).ok
    if (wanted === 'monitor') return running ? OCF.SUCCESS : OCF.NOT_RUNNING
    if (wanted === 'start') {
      if (nic === '' || ip === '') return OCF.CONFIGURED
      if (running) return OCF.SUCCESS
      background(sys, [
        SEND_ARP,
        '-i',
        '200',
        '-r',
        '5',
        '-p',
        `${RSCTMP}/send_arp-${ip}`,
        nic,
        ip,
        'auto',
        ip,
        'ffffffffffff',
      ])
      sys.mkdir(RSCTMP, 0o1755)
      const file = yield* sys.open(mark, 0o101, 0o644)
      if (file.ok) sys.close(file.value)
      return OCF.SUCCESS
    }
    if (!running) return OCF.SUCCESS
    if (sys.stat(`${RSCTMP}/send_arp-${ip}`).ok && (yield* killSender(own, ip))) {
      yield* own.ocf('INFO', `killed previously running send_arp for ${ip}`)
    }
    yield* own.ocf('INFO', `SendArp for ${ip}/${nic} released`)
    sys.unlink(mark)
    return OCF.SUCCESS
  })
}
