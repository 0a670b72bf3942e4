import { expect, test } from 'vitest'
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { drive, SECOND, Simulator } from '#base/sim'
import { type Body, createCapture, createHost, createImage, type Room, readAll, type Sys } from '#kernel/core'
import { net } from '#kernel/net'
import { iproute2 } from '#user/iproute2'
import { iputils } from '#user/iputils'
import { createShellSession, shell } from '#user/shell'
import { tcpdump } from './index.ts'

/** Just enough of other rooms, which stand below this one. */
const helpers: Room = {
  name: 'test/helpers',
  needs: [],
  install(image) {
    image.program({
      name: 'sleep',
      paths: ['/usr/bin/sleep'],
      *main(sys: Sys, argv: string[]): Body<number> {
        yield* sys.sleep(Number(argv[1]) * 1e9)
        return 0
      },
    })
    image.program({
      name: 'cat',
      paths: ['/usr/bin/cat'],
      *main(sys: Sys, argv: string[]): Body<number> {
        const opened = argv[1] === undefined ? undefined : yield* sys.open(argv[1])
        const read = yield* readAll(sys, opened?.ok ? opened.value : 0)
        if (read.ok) yield* sys.write(1, encodeUtf8(decodeUtf8(read.value)))
        return 0
      },
    })
  },
}

/** A host with a shell, and what a command prints on it. */
async function host() {
  const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
  for (const room of [net, shell, iproute2, iputils, tcpdump, helpers]) image.install(room)
  const sim = new Simulator(1)
  const made = createHost({ sim, image, name: 'client', number: 1, startS: 1_767_225_600 })
  let output = ''
  const out = createCapture({
    onOutput: (bytes) => {
      output += decodeUtf8(bytes)
    },
  })
  const session = createShellSession(made, { files: [made.openPath('/dev/null', 2)!, out, out] })
  const run = async (text: string) => {
    output = ''
    let status: number | undefined
    session.execute(text, (value) => {
      status = value
    })
    for (let i = 0; i < 100 && status === undefined; i++) await drive(sim, sim.nowNs + SECOND)
    if (status === undefined) throw new Error(`${text}: did not end`)
    return { output, status }
  }
  await run('ip link set lo up; echo 127.0.0.1 localhost > /etc/hosts')
  return { run }
}

const BANNER = `tcpdump: verbose output suppressed, use -v[v]... for full protocol decode
listening on lo, link-type EN10MB (Ethernet), snapshot length 262144 bytes
`

test('what crosses lo is captured once, and counted twice', async () => {
  const { run } = await host()
  const { output } = await run(
    'tcpdump -nti lo icmp 2>err & sleep 0.3; ping -c 1 127.0.0.1 >/dev/null; sleep 0.3; kill -INT %1; wait; cat err',
  )
  expect(output.replace(/id \d+/g, 'id N')).toBe(
    `IP 127.0.0.1 > 127.0.0.1: ICMP echo request, id N, seq 1, length 64
IP 127.0.0.1 > 127.0.0.1: ICMP echo reply, id N, seq 1, length 64

${BANNER}2 packets captured
4 packets received by filter
0 packets dropped by kernel
`,
  )
})

test('what is still in the buffer when a signal comes is lost', async () => {
  const { run } = await host()
  const command = (options: string) =>
    `tcpdump -nti lo ${options} icmp 2>err >out & sleep 0.32; ping -c 1 127.0.0.1 >/dev/null; sleep 0.02; kill -INT %1; wait; cat out; cat err`
  expect((await run(command(''))).output).toBe(
    `\n${BANNER}0 packets captured\n4 packets received by filter\n0 packets dropped by kernel\n`,
  )
  expect((await run(command('--immediate-mode'))).output).toContain(
    '\n2 packets captured\n4 packets received by filter\n',
  )
})

test('a file is written, read and counted; stamps are the wall clock', async () => {
  const { run } = await host()
  await run('tcpdump -i lo -c 2 -w /tmp/x.pcap icmp 2>/dev/null & sleep 0.3; ping -c 1 127.0.0.1 >/dev/null; wait')
  expect((await run('tcpdump -r /tmp/x.pcap --count 2>&1')).output).toBe(
    'reading from file /tmp/x.pcap, link-type EN10MB (Ethernet), snapshot length 262144\n2 packets\n',
  )
  const { output } = await run('tcpdump -r /tmp/x.pcap -tttt -c 1 2>/dev/null')
  expect(output).toMatch(
    /^2026-01-01 00:00:\d\d\.\d{6} IP localhost > localhost: ICMP echo request, id \d+, seq 1, length 64\n$/,
  )
})

test('mistakes', async () => {
  const { run } = await host()
  const says = async (words: string) => {
    const { output, status } = await run(`tcpdump ${words}`)
    return `${status}: ${output.split('\n')[0]}`
  }
  expect(await says('-i nope')).toBe('1: tcpdump: nope: No such device exists')
  expect(await says("-i lo 'foo bar'")).toBe("1: tcpdump: can't parse filter expression: syntax error")
  expect(await says('-i lo host nosuch')).toBe("1: tcpdump: unknown host 'nosuch'")
  expect(await says('-c 0')).toBe('1: tcpdump: invalid packet count 0')
  expect(await says('--foo')).toBe("1: tcpdump: unrecognized option '--foo'")
  expect(await says('-r /nope')).toBe('1: tcpdump: /nope: No such file or directory')
  expect(await says('--version')).toBe('0: tcpdump version 4.99.3')
})

test('-i any says the interface and the direction', async () => {
  const { run } = await host()
  const { output } = await run(
    'tcpdump -lnti any -c 2 icmp 2>/dev/null & sleep 0.3; ping -c 1 127.0.0.1 >/dev/null; wait',
  )
  expect(output.replace(/id \d+/g, 'id N')).toBe(
    `lo    In  IP 127.0.0.1 > 127.0.0.1: ICMP echo request, id N, seq 1, length 64
lo    In  IP 127.0.0.1 > 127.0.0.1: ICMP echo reply, id N, seq 1, length 64
`,
  )
})
