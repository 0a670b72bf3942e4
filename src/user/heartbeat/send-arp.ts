/** send_arp: says to all whose an address is, as requests and answers by turns. resource-agents 4.12 tools/send_arp.linux.c */
import { encodeUtf8 } from '#base/bytes'
import { type Body, type Sys, strerror } from '#kernel/core'
import { Stdio } from '#user/libc'
import { parseIpv4 } from '#wire/inet'
import { linksOf } from './addresses.ts'

const USAGE = `send_arp: sends out custom ARP packet.
  usage: send_arp [-i repeatinterval-ms] [-r repeatcount] [-p pidfile] \\
              device src_ip_addr src_hw_addr broadcast_ip_addr netmask

  where:
    repeatinterval-ms: timing, in milliseconds of sending arp packets
      For each ARP announcement requested, a pair of ARP packets is sent,
      an ARP request, and an ARP reply. This is because some systems
      ignore one or the other, and this combination gives the greatest
      chance of success.

      Each time an ARP is sent, if another ARP will be sent then
      the code sleeps for half of repeatinterval-ms.

    repeatcount: how many pairs of ARP packets to send.
                 See above for why pairs are sent

    pidfile: pid file to use

    device: network interface to use

    src_ip_addr: source ip address

    src_hw_addr: source hardware address.
                 If "auto" then the address of device

    broadcast_ip_addr: ignored

    netmask: ignored

  Notes: Other options of the original are not modelled.
`

const ETH_P_ARP = 0x0806
const BROADCAST = new Uint8Array(6).fill(0xff)

export function sendArp(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'send_arp')
  return io.run(main(sys, io, argv.slice(1)))
}

function* main(sys: Sys, io: Stdio, words: string[]): Body<number> {
  let intervalMs = 1000
  let repeats = 1
  let pidFile = ''
  while (words[0]?.startsWith('-')) {
    const option = words.shift()!
    const value = words.shift() ?? ''
    if (option === '-i') intervalMs = Number(value)
    else if (option === '-r') repeats = Number(value)
    else if (option === '-p') pidFile = value
    else words = []
  }
  const [device = '', ip = ''] = words
  const address = parseIpv4(ip)
  if (words.length !== 5 || !(intervalMs >= 0) || !(repeats >= 1)) {
    io.print(USAGE)
    return 1
  }
  const link = linksOf(sys).find(({ name }) => name === device)
  const made = sys.socket('AF_PACKET', 'SOCK_DGRAM', 0)
  if (!link || address === undefined || !made.ok) {
    io.error(`ARPING ${ip}\nInterface "${device}" is not ARPable\n`)
    return 2
  }
  let stopped = false
  sys.sigaction('SIGTERM', () => {
    stopped = true
  })
  if (pidFile !== '') {
    const file = yield* sys.open(pidFile, 0o1101, 0o644)
    if (file.ok) {
      yield* sys.write(file.value, encodeUtf8(`${sys.pid}\n`))
      sys.close(file.value)
    }
  }
  const to = {
    family: 'AF_PACKET' as const,
    protocol: ETH_P_ARP,
    ifindex: link.ifindex,
    hatype: 0,
    packetType: 0,
    address: BROADCAST,
  }
  for (let i = 0; i < 2 * repeats && !stopped; i++) {
    const sent = yield* sys.sendTo(made.value, packet(link.address, address, i % 2 === 1), to)
    if (!sent.ok) io.error(`send_arp: ${strerror(sent.errno)}\n`)
    if (i < 2 * repeats - 1) yield* sys.sleep((intervalMs / 2) * 1e6)
  }
  if (pidFile !== '' && !stopped) sys.unlink(pidFile)
  return 0
}

/** Who asks for his own address, or answers it. RFC 826. */
function packet(mac: number, address: number, reply: boolean): Uint8Array {
  const bytes = new Uint8Array(28)
  const view = new DataView(bytes.buffer)
  bytes.set([0, 1, 8, 0, 6, 4, 0, reply ? 2 : 1])
  for (const at of reply ? [8, 18] : [8]) {
    view.setUint16(at, Math.floor(mac / 2 ** 32))
    view.setUint32(at + 2, mac % 2 ** 32)
  }
  view.setUint32(14, address)
  view.setUint32(24, address)
  return bytes
}
