/** A booted machine; skipped, with a line that says why, where none can be made. */
import { createHash } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { type CommandResult, DEFAULT_START, type InterfaceCapture, type LabSession } from '#article/runner'
import type { HostPlan, LabPlan } from '#lab/plan'
import { createQemuBackend } from './index.ts'

const backends = [createQemuBackend(), createQemuBackend()] as const
const why = await backends[0].unavailable()
if (why !== undefined) console.log(`skipped: qemu: ${why}`)

function host(number: number, name: string): HostPlan {
  const mac = `02:00:00:00:${number.toString(16).padStart(2, '0')}:00`
  const eth0 = { name: 'eth0', network: 'lan', addresses: [{ address: `10.0.0.${number}`, prefix: 24 }], mac }
  const none = { loopback: [], gateway: undefined, sysctl: [], ipv6: false, kernel: 'linux-6.1', machine: 'pc' }
  return { name, number, interfaces: [eth0], ...none }
}

const plan: LabPlan = {
  networks: [{ name: 'lan', delayNs: 0, rateBps: Number.POSITIVE_INFINITY, loss: 0.2 }],
  hosts: [host(1, 'a'), host(2, 'b'), host(3, 'c')],
}

const open = (which: 0 | 1): Promise<LabSession> =>
  backends[which].open(plan, { seed: 7, start: DEFAULT_START, capture: true })

afterAll(async () => {
  await Promise.all(backends.map((backend) => backend.close()))
})

/** An article's worth of chance: losses, identifiers, ports, sequence numbers, the random device, process ids. */
async function run(session: LabSession): Promise<{ results: CommandResult[]; captures: InterfaceCapture[] }> {
  const results: CommandResult[] = []
  const give = async (name: string, command: string) => results.push(await session.command(name, command))
  await give('a', 'ping -c 5 -i 0.2 -W 1 b')
  await give('b', 'head -c 8 /dev/urandom | od -x; echo $RANDOM $$; date +%s.%N; cat /proc/uptime')
  await session.writeFile('b', '/tmp/listen', '#!/bin/sh\nexec timeout 5 tcpdump -c 4 -i eth0 -nn "$@"\n')
  await give('b', '/tmp/listen icmp & ')
  await give('a', 'ping -c 4 -i 0.3 -W 1 10.0.0.2')
  results.push(await session.verb({ verb: 'poweroff', host: 'c' }))
  await give('a', 'arping -c 3 -I eth0 10.0.0.3; exec 3<>/dev/tcp/10.0.0.2/80; ip neigh')
  results.push(await session.verb({ verb: 'poweron', host: 'c' }))
  await give('c', 'sleep 300; ping -c 1 -W 1 a; ps -e')
  return { results, captures: await session.finish() }
}

const digest = (value: unknown) =>
  createHash('sha256')
    .update(JSON.stringify(value, (_, each) => (each instanceof Uint8Array ? Buffer.from(each).toString('hex') : each)))
    .digest('hex')

describe.skipIf(why !== undefined)('a lab in a machine', { timeout: 240_000 }, () => {
  test('two machines do the same, to the byte, and so does each one’s second lab', async () => {
    const rounds = await Promise.all(
      ([0, 1] as const).map(async (which) => [await run(await open(which)), await run(await open(which))] as const),
    )
    const [one, other] = rounds
    expect(one![0].results).toEqual(other![0].results)
    expect(digest(one![0])).toBe(digest(other![0]))
    expect(digest(one![1])).toBe(digest(other![1]))
    expect(one![0].captures.flatMap(({ frames }) => frames).length).toBeGreaterThan(30)
    // Chance goes on from lab to lab, it doesn't begin anew.
    expect(digest(one![0])).not.toBe(digest(one![1]))
  })

  test('a boot for each lab: the second does what the first did', async () => {
    const fresh = createQemuBackend({ bootEach: true })
    const digests: string[] = []
    for (let i = 0; i < 2; i++) {
      digests.push(digest(await run(await fresh.open(plan, { seed: 8, start: DEFAULT_START, capture: true }))))
    }
    await fresh.close()
    expect(digests[1]).toBe(digests[0])
  })

  test('time is virtual: it begins with 2026, and five minutes cost nothing', async () => {
    const session = await open(0)
    expect((await session.command('a', 'date')).output).toBe('Thu Jan  1 00:00:00 UTC 2026\n')
    const before = performance.now()
    const slept = await session.command('a', 'sleep 300; date', { limitS: 400 })
    expect(slept.output).toBe('Thu Jan  1 00:05:00 UTC 2026\n')
    expect(slept.took).toBeGreaterThanOrEqual(300)
    expect(slept.took).toBeLessThan(300.1)
    expect(performance.now() - before).toBeLessThan(200_000)
    await session.finish()
  })

  test('it is Debian’s kernel, with cards like Ethernet cards on Debian’s queueing discipline', async () => {
    const session = await open(0)
    expect(session.kernel).toMatch(/^linux-6\.1\.\d.*-amd64$/)
    expect((await session.command('a', 'ip link show eth0')).output).toBe(
      '2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP mode DEFAULT group default qlen 1000\n' +
        '    link/ether 02:00:00:00:01:00 brd ff:ff:ff:ff:ff:ff\n',
    )
    expect((await session.command('a', 'modprobe dummy && ip link add d0 type dummy && echo made')).output).toBe(
      'made\n',
    )
    await session.finish()
  })

  test('a command that meets its limit is stopped, and so is one that never waits', async () => {
    const session = await open(0)
    expect(await session.command('a', 'sleep 60', { limitS: 1 })).toMatchObject({ timedOut: true, status: 130 })
    expect(await session.command('a', 'while :; do :; done', { limitS: 1 })).toMatchObject({ timedOut: true })
    expect((await session.command('a', 'echo alive')).output).toBe('alive\n')
    await session.close()
  })

  test('much comes out whole', async () => {
    const session = await open(0)
    const { output } = await session.command('a', 'head -c 9000000 /dev/zero | tr "\\0" x; echo')
    expect(output.length).toBe(9_000_001)
    await session.close()
  })
})
