/** The interfaces that one can capture on, in libpcap's order: those that are of use first. libpcap 1.10.3 pcap.c: get_figure_of_merit() */
import type { LinkMessage } from '#kernel/net'

const IFF_UP = 1
const IFF_LOOPBACK = 8
const IFF_RUNNING = 0x40

interface Capturable {
  name: string
  description: string | undefined
  flags: string[]
}

/** What libpcap finds besides on Debian 12; nothing can be captured there in the model. */
const OTHERS: Capturable[] = [
  { name: 'bluetooth-monitor', description: 'Bluetooth Linux Monitor', flags: ['Wireless'] },
  { name: 'nflog', description: 'Linux netfilter log (NFLOG) interface', flags: ['none'] },
  { name: 'nfqueue', description: 'Linux netfilter queue (NFQUEUE) interface', flags: ['none'] },
  { name: 'dbus-system', description: 'D-Bus system bus', flags: ['none'] },
  { name: 'dbus-session', description: 'D-Bus session bus', flags: ['none'] },
]

/** The name of the interface that a number of -D's list stands for; undefined if there is none. */
export function interfaceName(links: readonly LinkMessage[], text: string): string | undefined {
  if (/^\d+$/.test(text) && !links.some((link) => link.name === text)) return capturable(links)[Number(text) - 1]?.name
  return text
}

/** Where a capture begins that names no interface. */
export function defaultInterface(links: readonly LinkMessage[]): string | undefined {
  return capturable(links)[0]?.name
}

function capturable(links: readonly LinkMessage[]): Capturable[] {
  const merit = (link: LinkMessage) =>
    (link.flags & IFF_RUNNING ? 0 : 0x80000000) +
    (link.flags & IFF_UP ? 0 : 0x40000000) +
    (link.flags & IFF_LOOPBACK ? 0x10000000 : 0)
  const entries = links.map((link) => ({ merit: merit(link), entry: describe(link) }))
  const any: Capturable = {
    name: 'any',
    description: 'Pseudo-device that captures on all interfaces',
    flags: ['Up', 'Running'],
  }
  entries.push({ merit: 0x08000000, entry: any })
  for (const entry of OTHERS) entries.push({ merit: 0xc0000000, entry })
  entries.sort((a, b) => a.merit - b.merit)
  return entries.map(({ entry }) => entry)
}

function describe(link: LinkMessage): Capturable {
  const flags: string[] = []
  if (link.flags & IFF_UP) flags.push('Up')
  if (link.flags & IFF_RUNNING) flags.push('Running')
  if (link.flags & IFF_LOOPBACK) flags.push('Loopback')
  else
    flags.push(
      link.operstate === 'UP' ? 'Connected' : link.operstate === 'DOWN' ? 'Disconnected' : 'Connection status unknown',
    )
  return { name: link.name, description: undefined, flags }
}

/** What -D prints. */
export function listInterfaces(links: readonly LinkMessage[]): string {
  const entries = capturable(links)
  return entries
    .map(
      ({ name, description, flags }, i) =>
        `${i + 1}.${name}${description ? ` (${description})` : ''} [${flags.join(', ')}]\n`,
    )
    .join('')
}
