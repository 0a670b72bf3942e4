/** ping and arping on a small lab. The words, marks and exit statuses are those that iputils 20221126 gave for the same commands. */
import { beforeAll, describe, expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { parseLab } from '#lab/plan'
import { Counts, formatTrip } from './ping-count.ts'
import { describeIcmp, OptionsPrinter } from './ping-text.ts'

const LAB = `
networks: { lan: {}, wan: { delay: 10ms } }
hosts:
  client: { eth0: lan 10.0.0.1/24, gateway: 10.0.0.254 }
  web: { eth0: lan 10.0.0.2/24 }
  router: { eth0: lan 10.0.0.254/24, eth1: wan 192.168.0.254/24, sysctl: { net.ipv4.ip_forward: 1 } }
  far: { eth0: wan 192.168.0.1/24, gateway: 192.168.0.254 }
`

let lab: SimLab
beforeAll(() => {
  lab = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
})

async function run(command: string, host = 'client'): Promise<[output: string, status: number]> {
  const { output, status } = await lab.command(host, command)
  return [output, status]
}

/** Measured times aren't what these tests are about. */
const masked = (text: string) => text.replace(/[\d.]+( ?ms)/g, 'T$1').replace(/mdev = .*/, 'mdev = T')

const STATISTICS = (name: string, counts: string, tail: string) => `
--- ${name} ping statistics ---
${counts}, time Tms
${tail}
`
const RTT = 'rtt min/avg/max/mdev = T'

describe('ping', () => {
  test.each([
    [
      'ping -c 1 web',
      `PING web (10.0.0.2) 56(84) bytes of data.
64 bytes from web (10.0.0.2): icmp_seq=1 ttl=64 time=T ms
${STATISTICS('web', '1 packets transmitted, 1 received, 0% packet loss', RTT)}`,
      0,
    ],
    [
      'ping -c 2 -i 0.2 192.168.0.1',
      `PING 192.168.0.1 (192.168.0.1) 56(84) bytes of data.
64 bytes from 192.168.0.1: icmp_seq=1 ttl=63 time=T ms
64 bytes from 192.168.0.1: icmp_seq=2 ttl=63 time=T ms
${STATISTICS('192.168.0.1', '2 packets transmitted, 2 received, 0% packet loss', RTT)}`,
      0,
    ],
    [
      'ping -c 1 -t 1 far',
      `PING far (192.168.0.1) 56(84) bytes of data.
From router (10.0.0.254) icmp_seq=1 Time to live exceeded
${STATISTICS('far', '1 packets transmitted, 0 received, +1 errors, 100% packet loss', '')}`,
      1,
    ],
    [
      'ping -c 1 172.16.0.1',
      `PING 172.16.0.1 (172.16.0.1) 56(84) bytes of data.
From 10.0.0.254 icmp_seq=1 Destination Net Unreachable
${STATISTICS('172.16.0.1', '1 packets transmitted, 0 received, +1 errors, 100% packet loss', '')}`,
      1,
    ],
    [
      'ping -c 1 10.0.0.77',
      `PING 10.0.0.77 (10.0.0.77) 56(84) bytes of data.
From 10.0.0.1 icmp_seq=1 Destination Host Unreachable
${STATISTICS('10.0.0.77', '1 packets transmitted, 0 received, +1 errors, 100% packet loss', '')}`,
      1,
    ],
    [
      'ping -c 1 -s 2000 -M do web',
      `PING web (10.0.0.2) 2000(2028) bytes of data.
ping: local error: message too long, mtu=1500
${STATISTICS('web', '1 packets transmitted, 0 received, +1 errors, 100% packet loss', '')}`,
      1,
    ],
    [
      'ping -c 1 -s 8 web',
      `PING web (10.0.0.2) 8(36) bytes of data.
16 bytes from web (10.0.0.2): icmp_seq=1 ttl=64
${STATISTICS('web', '1 packets transmitted, 1 received, 0% packet loss', '')}`,
      0,
    ],
    [
      'ping -c 3 -l 3 web',
      `PING web (10.0.0.2) 56(84) bytes of data.
64 bytes from web (10.0.0.2): icmp_seq=1 ttl=64 time=T ms
64 bytes from web (10.0.0.2): icmp_seq=2 ttl=64 time=T ms
64 bytes from web (10.0.0.2): icmp_seq=3 ttl=64 time=T ms
${STATISTICS('web', '3 packets transmitted, 3 received, 0% packet loss', RTT)}`,
      0,
    ],
    [
      'ping -n -c 1 -R web',
      `PING web (10.0.0.2) 56(124) bytes of data.
64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=T ms
RR: \t10.0.0.1
\t10.0.0.2
\t10.0.0.2
\t10.0.0.1

${STATISTICS('web', '1 packets transmitted, 1 received, 0% packet loss', RTT)}`,
      0,
    ],
    [
      'ping -c 1 10.0.0.255',
      'ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n',
      2,
    ],
    ['ping -I foo 10.0.0.2', 'ping: SO_BINDTODEVICE foo: No such device\n', 2],
    ['ping -I 1.2.3.4 10.0.0.2', 'ping: bind: Cannot assign requested address\n', 2],
    ['ping nosuch', 'ping: nosuch: Temporary failure in name resolution\n', 2],
    ['ping', 'ping: usage error: Destination address required\n', 1],
    ['ping -c 0 x', "ping: invalid argument: '0': out of range: 1 <= value <= 9223372036854775807\n", 1],
    ['ping -c abc x', "ping: invalid argument: 'abc'\n", 1],
    ['ping -M foo x', 'ping: invalid -M argument: foo\n', 2],
    ['ping -Q 999 x', 'ping: the decimal value of TOS bits must be in range 0-255: 999\n', 2],
    ['ping -W -1 x', 'ping: bad linger time: -1\n', 2],
    ['ping -4 -6 x', 'ping: only one -4 or -6 option may be specified\n', 2],
    ['ping -p xyz x', 'ping: patterns must be specified as hex digits: xyz\n', 2],
  ])('%s', async (command, expected, status) => {
    const [output, ended] = await run(command)
    expect([masked(output), ended]).toEqual([expected, status])
  })

  test('no route: connect fails before anything is sent', async () => {
    expect(await run('ping -c 1 8.8.8.8', 'web')).toEqual(['ping: connect: Network is unreachable\n', 2])
  })

  test('a deadline ends it, answered or not', async () => {
    const { took, status, output } = await lab.command('client', 'ping -w 2 -c 5 web')
    expect(output).toContain('2 packets transmitted, 2 received')
    expect([Math.round(took), status]).toEqual([2, 1])
  })
})

describe('what is counted', () => {
  test.each([
    [0, '0.000'],
    [999, '0.999'],
    [1000, '1.00'],
    [9994, '9.99'],
    [9995, '10.0'],
    [99949, '99.9'],
    [99950, '100'],
    [1234567, '1235'],
  ])('%i us', (us, text) => {
    expect(formatTrip(us)).toBe(text)
  })

  test('means and deviations are whole microseconds', () => {
    const counts = new Counts()
    for (const [i, us] of [17, 6, 5, 5, 4].entries()) {
      counts.sent()
      counts.received++
      counts.acknowledge(i + 1)
      counts.time(us)
      counts.take(i + 1)
    }
    expect(counts.summary('x', 88_000, true, true)).toBe(
      `
--- x ping statistics ---
5 packets transmitted, 5 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 0.004/0.007/0.017/0.004 ms, ipg/ewma 0.022/0.012 ms
`,
    )
  })

  test('a third is lost', () => {
    const counts = new Counts()
    for (let i = 0; i < 3; i++) counts.sent()
    counts.received = 2
    expect(counts.summary('x', 2_003_400_000, false, false)).toContain(
      '3 packets transmitted, 2 received, 33.3333% packet loss, time 2003ms',
    )
    expect(counts.status(false)).toBe('\r2/3 packets, 33% loss\n')
  })
})

describe('what is said', () => {
  const nameOf = (address: number) => `#${address}`
  test.each([
    [3, 4, 1400, 'Frag needed and DF set (mtu = 1400)\n'],
    [3, 13, 0, 'Packet filtered\n'],
    [3, 99, 0, 'Dest Unreachable, Bad Code: 99\n'],
    [5, 1, 7, 'Redirect Host(New nexthop: #7)\n'],
    [11, 1, 0, 'Frag reassembly time exceeded\n'],
    [12, 0, 20 << 24, 'Parameter problem: pointer = 20\n'],
    [77, 0, 0, 'Bad ICMP type: 77\n'],
  ])('type %i, code %i', (type, code, rest, text) => {
    expect(describeIcmp(type, code, rest, nameOf)).toBe(text)
  })

  test('the same route again is only named', () => {
    const printer = new OptionsPrinter(nameOf, false)
    const option = Uint8Array.from([1, 7, 11, 12, 0, 0, 0, 1, 0, 0, 0, 2])
    expect(printer.describe(option)).toBe('\nNOP\nRR: \t#1\n\t#2\n')
    expect(printer.describe(option)).toBe('\nNOP\t(same route)')
  })

  test('options that are broken end the list', () => {
    for (const bytes of [[7], [7, 0], [7, 1], [7, 40, 4], [68, 4, 99, 0], [131, 3, 4]]) {
      expect(() => new OptionsPrinter(nameOf, false).describe(Uint8Array.from(bytes))).not.toThrow()
    }
  })
})

describe('arping', () => {
  test.each([
    [
      'arping -c 2 -I eth0 10.0.0.2',
      `ARPING 10.0.0.2 from 10.0.0.1 eth0
Unicast reply from 10.0.0.2 [02:00:00:00:02:00]  Tms
Unicast reply from 10.0.0.2 [02:00:00:00:02:00]  Tms
Sent 2 probes (1 broadcast(s))
Received 2 response(s)
`,
      0,
    ],
    [
      'arping -D -c 2 -I eth0 10.0.0.2',
      `ARPING 10.0.0.2 from 0.0.0.0 eth0
Unicast reply from 10.0.0.2 [02:00:00:00:02:00]  Tms
Sent 1 probes (1 broadcast(s))
Received 1 response(s)
`,
      1,
    ],
    [
      'arping -U -c 1 -I eth0 10.0.0.1',
      'ARPING 10.0.0.1 from 10.0.0.1 eth0\nSent 1 probes (1 broadcast(s))\nReceived 0 response(s)\n',
      0,
    ],
    [
      'arping -c 1 -I eth0 99.99.99.99',
      'ARPING 99.99.99.99 from 10.0.0.1 eth0\nSent 1 probes (1 broadcast(s))\nReceived 0 response(s)\n',
      1,
    ],
    ['arping -c 1 -I lo 10.0.0.2', 'Interface "lo" is not ARPable\n', 2],
    ['arping -c 1 -I foo 10.0.0.2', 'arping: Device foo not available.\n', 2],
    ['arping -c 1 -s 1.2.3.4 10.0.0.2', 'arping: bind: Cannot assign requested address\n', 2],
  ])('%s', async (command, expected, status) => {
    const [output, ended] = await run(command)
    expect([masked(output), ended]).toEqual([expected, status])
  })
})
