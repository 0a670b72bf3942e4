/** A cluster of two in which a third host says anything, and nothing that is true. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { parseHex } from '#base/bytes'
import { forSeeds } from '#base/testing'
import { parseLab } from '#lab/plan'
import { crcHex } from './digest.ts'
import { emitMessage, parseMessage } from './message.ts'

const golden = readFileSync(new URL('golden/real/messages.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('crc '))
  .map((line) => parseHex(line.slice(4))!)

const CF =
  'logfile /var/log/ha-log\nkeepalive 500ms\ndeadtime 3\ninitdead 6\nbcast eth0\nauto_failback on\nnode node1 node2\n'

async function cluster(): Promise<SimLab> {
  const { plan } = parseLab(
    'networks: { lan: {} }\nhosts: { node1: { eth0: lan 10.0.0.1/24 }, node2: { eth0: lan 10.0.0.2/24 }, mallory: { eth0: lan 10.0.0.9/24 } }',
    'lab.yaml',
  )
  const lab = new SimLab(plan, { seed: 1, start: 1_767_225_600, capture: false })
  for (const node of ['node1', 'node2']) {
    lab.writeFile(node, '/etc/ha.d/ha.cf', CF)
    lab.writeFile(node, '/etc/ha.d/haresources', 'node1 10.0.0.100\n')
    lab.writeFile(node, '/etc/ha.d/authkeys', 'auth 1\n1 crc\n')
    await lab.command(node, 'chmod 600 /etc/ha.d/authkeys; service heartbeat start')
  }
  await lab.command('mallory', 'sleep 15')
  return lab
}

const holders = async (lab: SimLab) => {
  const counts: string[] = []
  for (const node of ['node1', 'node2'])
    counts.push((await lab.command(node, 'ip addr show eth0 | grep -c 10.0.0.100')).output.trim())
  return counts.join(' ')
}

test('garbage at the port, signed or not, neither ends a node nor moves a resource', async () => {
  const lab = await cluster()
  expect(await holders(lab)).toBe('1 0')
  const inputs: Uint8Array[] = []
  forSeeds(40, (random) => {
    let bytes = golden[random.below(golden.length)]!.slice()
    // As they are they would be believed: they come from a node1 that began a second later.
    for (let i = 1 + random.below(4); i > 0; i--) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
    const parsed = parseMessage(bytes)
    // Half of what can still be read is signed well, and comes from somebody else.
    if (parsed && random.below(2) === 0) {
      parsed.message.set('src', ['node3', 'mallory', ''][random.below(3)]!)
      bytes = emitMessage(parsed.message, (payload) => ({ number: 1, token: crcHex(payload) })).slice()
    }
    inputs.push(bytes.slice(0, bytes.length - random.below(3)))
  })
  for (const bytes of inputs) {
    const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
    await lab.command(
      'mallory',
      `printf '${octal}' > /tmp/m; nc -u -w 1 -b 10.0.0.255 694 < /tmp/m; nc -u -w 1 node2 694 < /tmp/m`,
    )
  }
  await lab.command('mallory', 'sleep 2')
  for (const node of ['node1', 'node2']) {
    expect(
      (await lab.command(node, 'cl_status hbstatus; cl_status nodestatus node1; cl_status nodestatus node2')).output,
    ).toBe('Heartbeat is running on this machine.\nactive\nactive\n')
  }
  expect(await holders(lab)).toBe('1 0')
})

test('whoever dies, exactly one holds the address in the end', async () => {
  const lab = await cluster()
  await lab.verb({ verb: 'poweroff', host: 'node1' })
  await lab.command('mallory', 'sleep 8')
  expect((await lab.command('node2', 'ip addr show eth0 | grep -c 10.0.0.100; cl_status rscstatus')).output).toBe(
    '1\nall\n',
  )
})
