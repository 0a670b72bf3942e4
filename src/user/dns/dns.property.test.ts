/** Garbage at a DNS server's port, and garbage for an answer. */
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { forSeeds } from '#base/testing'
import { parseLab } from '#lab/plan'
import { dnsQuery, emitDns } from '#wire/dns'

test('a server outlives what is sent to it, and a client what it is told', async () => {
  const { plan } = parseLab(
    'networks: { lan: {} }\nhosts: { a: { eth0: lan 10.0.0.1/24 }, b: { eth0: lan 10.0.0.2/24 } }',
    'lab.yaml',
  )
  const lab = new SimLab(plan, { seed: 1, start: 0, capture: false })
  lab.writeFile(
    'b',
    '/etc/dnsmasq.conf',
    'no-resolv\nno-hosts\nlocal=/lab/\nhost-record=x.lab,10.0.0.9\nmx-host=lab,x.lab\n',
  )
  await lab.command('b', 'dnsmasq -d > /dev/null 2>&1 & sleep 0.1')
  const inputs: string[] = []
  forSeeds(20, (random) => {
    const query = emitDns(dnsQuery(random.below(65_536), 'x.lab.', [1, 15, 28, 255, 12][random.below(5)]!))
    const bytes = random.below(3) === 0 ? random.bytes(random.below(60)) : query
    for (let i = random.below(4); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256)
    inputs.push(
      Array.from(
        bytes.slice(0, bytes.length - random.below(3)),
        (byte) => `\\x${byte.toString(16).padStart(2, '0')}`,
      ).join(''),
    )
  })
  for (const input of inputs) {
    await lab.command(
      'a',
      `printf '${input}' | nc -u -w 1 b 53 > /dev/null; printf '${input}' | nc -N -w 1 b 53 > /dev/null`,
    )
    await lab.command('a', `printf '${input}' | nc -lu -w 1 54 > /dev/null & sleep 0.1`)
    const { timedOut } = await lab.command('b', 'dig @10.0.0.1 -p 54 x.lab +tries=1 +time=1 > /dev/null', {
      limitS: 30,
    })
    expect(timedOut).toBe(false)
  }
  const { output } = await lab.command('a', 'dig @b x.lab +short; dig @b mx lab +short +tcp')
  expect(output).toBe('10.0.0.9\n1 x.lab.\n')
}, 60_000)
