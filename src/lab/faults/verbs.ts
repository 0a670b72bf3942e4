/** The lab's own console: what `lab# unplug web1:eth0` and its like mean. */
import { closest, formatDuration, formatRate, parseDuration, parsePercent, parseRate } from '#base/text'
import type { LabPlan } from '#lab/plan'

/** A `lab#` line, parsed. */
export type LabVerb =
  | { verb: 'unplug' | 'plug'; host: string; interface: string }
  | { verb: 'poweroff' | 'poweron' | 'pause' | 'resume'; host: string }
  | { verb: 'loss'; network: string; loss: number }
  | { verb: 'delay'; network: string; delayNs: number }
  | { verb: 'rate'; network: string; rateBps: number }
  | { verb: 'wait'; waitNs: number }

export const LAB_HELP = `unplug HOST:INTERFACE      pull a cable
plug HOST:INTERFACE        put it back
poweroff HOST              cut a host's power; its disk stays
poweron HOST               boot it again
pause HOST                 freeze a host: it stands still, its clock goes on
resume HOST                let it go on
loss NETWORK PERCENT       lose some of the frames that leave the switch
delay NETWORK DURATION     hold them back, one way
rate NETWORK RATE          at most so many bits a second; \`unlimited\` ends it
wait DURATION              let time pass`

/** A longer wait is a slip of the pen. */
const WAIT_MAX_NS = 86_400e9
/** More hosts than these a hint doesn't list. */
const HOSTS_NAMED = 12

/** How many words each has, its own name included. */
const ARITY: Readonly<Record<string, number>> = {
  unplug: 2,
  plug: 2,
  poweroff: 2,
  poweron: 2,
  pause: 2,
  resume: 2,
  loss: 3,
  delay: 3,
  rate: 3,
  wait: 2,
}

export type ParsedVerb = { ok: true; verb: LabVerb } | { ok: false; what: string; hint: string }

/** Parses a line typed at `lab#`. */
export function parseVerb(line: string, plan: LabPlan): ParsedVerb {
  const words = line.trim().split(/\s+/)
  const [name = '', target = '', value = ''] = words
  const fail = (what: string, hint: string): ParsedVerb => ({ ok: false, what, hint })
  const arity = ARITY
  if (!Object.hasOwn(arity, name)) {
    const like = closest(name, Object.keys(arity))
    return fail(
      `the lab has no \`${name}\``,
      like ? `did you mean \`${like}\`?` : `there is ${Object.keys(arity).join(', ')}`,
    )
  }
  if (words.length !== arity[name]) {
    return fail(
      `\`${name}\` takes ${arity[name] === 2 ? '1 word' : '2 words'}`,
      `write \`${
        LAB_HELP.split('\n')
          .find((help) => help.startsWith(`${name} `))!
          .split(/ {2,}/)[0]
      }\``,
    )
  }
  if (name === 'wait') {
    const waitNs = parseDuration(target)
    return waitNs === undefined || waitNs > WAIT_MAX_NS
      ? fail(`\`${target}\` is no time to wait`, 'write it as 2s, at most a day')
      : { ok: true, verb: { verb: 'wait', waitNs } }
  }
  if (name === 'loss' || name === 'delay' || name === 'rate') {
    const names = plan.networks.map((network) => network.name)
    if (!names.includes(target)) {
      const like = closest(target, names)
      return fail(
        `there is no network \`${target}\``,
        like ? `did you mean \`${like}\`?` : `there is ${names.join(', ')}`,
      )
    }
    if (name === 'loss') {
      const loss = parsePercent(value)
      return loss === undefined
        ? fail(`\`${value}\` is no loss`, 'write it as 5%')
        : { ok: true, verb: { verb: 'loss', network: target, loss } }
    }
    if (name === 'delay') {
      const delayNs = parseDuration(value)
      return delayNs === undefined
        ? fail(`\`${value}\` is no delay`, 'write it as 20ms')
        : { ok: true, verb: { verb: 'delay', network: target, delayNs } }
    }
    const rateBps = value === 'unlimited' ? Number.POSITIVE_INFINITY : parseRate(value)
    return rateBps === undefined
      ? fail(`\`${value}\` is no rate`, 'write it as 100mbit')
      : { ok: true, verb: { verb: 'rate', network: target, rateBps } }
  }
  const colon = target.indexOf(':')
  const hostName = colon < 0 ? target : target.slice(0, colon)
  const iface = colon < 0 ? '' : target.slice(colon + 1)
  const host = plan.hosts.find((candidate) => candidate.name === hostName)
  if (!host) {
    const names = plan.hosts.map((candidate) => candidate.name)
    const like = closest(hostName, names)
    const some = names.length > HOSTS_NAMED ? 'look at `hosts:`' : `there is ${names.join(', ')}`
    return fail(`there is no host \`${hostName}\``, like ? `did you mean \`${like}\`?` : some)
  }
  if (name === 'poweroff' || name === 'poweron' || name === 'pause' || name === 'resume') {
    return target === hostName
      ? { ok: true, verb: { verb: name, host: hostName } }
      : fail(`\`${target}\` is no host`, `write \`${hostName}\``)
  }
  if (!host.interfaces.some((candidate) => candidate.name === iface)) {
    const first = host.interfaces[0]
    return fail(
      `\`${hostName}\` has no interface \`${iface}\` on a network`,
      first ? `write \`${hostName}:${first.name}\`` : 'it has no cables',
    )
  }
  return { ok: true, verb: { verb: name as 'plug' | 'unplug', host: hostName, interface: iface } }
}

/** A verb as it would be typed. */
export function formatVerb(verb: LabVerb): string {
  switch (verb.verb) {
    case 'plug':
    case 'unplug':
      return `${verb.verb} ${verb.host}:${verb.interface}`
    case 'poweroff':
    case 'poweron':
    case 'pause':
    case 'resume':
      return `${verb.verb} ${verb.host}`
    case 'loss':
      return `loss ${verb.network} ${Number((verb.loss * 100).toPrecision(12))}%`
    case 'delay':
      return `delay ${verb.network} ${formatDuration(verb.delayNs)}`
    case 'wait':
      return `wait ${formatDuration(verb.waitNs)}`
    case 'rate':
      return `rate ${verb.network} ${verb.rateBps === Number.POSITIVE_INFINITY ? 'unlimited' : formatRate(verb.rateBps)}`
  }
}
