/** Two routers while a third host says anything; configurations of chance; and captures that another decoder reads. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { forSeeds } from '#base/testing'
import { parseLab } from '#lab/plan'
import { PcapWriter } from '#wire/pcap'

const PATH = '/etc/keepalived/keepalived.conf'

const instance = (priority: number, more = '') => `vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  priority ${priority}
  advert_int 1
  ${more}
  virtual_ipaddress {
    10.0.0.100/24
  }
}
`

function makeLab(capture: boolean): SimLab {
  const { plan } = parseLab(
    'networks: { lan: {} }\nhosts: { a: { eth0: lan 10.0.0.1/24 }, b: { eth0: lan 10.0.0.2/24 }, c: { eth0: lan 10.0.0.9/24 } }',
    'lab.yaml',
  )
  return new SimLab(plan, { seed: 1, start: 1_767_225_600, capture })
}

async function routers(capture: boolean, more = ''): Promise<SimLab> {
  const lab = makeLab(capture)
  lab.writeFile('a', PATH, instance(100, more))
  lab.writeFile('b', PATH, instance(150, more))
  for (const host of ['a', 'b']) await lab.command(host, 'keepalived')
  await lab.command('c', 'sleep 6')
  return lab
}

const holders = async (lab: SimLab) => {
  const counts: string[] = []
  for (const host of ['a', 'b'])
    counts.push((await lab.command(host, 'ip addr show eth0 | grep -c 10.0.0.100')).output.trim())
  return counts.join(' ')
}

test('garbage of protocol 112 neither ends a router nor moves the address', async () => {
  const lab = await routers(false)
  expect(await holders(lab)).toBe('0 1')
  const inputs: Uint8Array[] = []
  forSeeds(60, (random) => {
    // An advertisement whose checksum no longer fits, or that is none at all.
    const advert = Uint8Array.of(0x21, 51, 200, 1, 0, 1, 0xa2, 0x69, 10, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0)
    for (let i = 1 + random.below(4); i > 0; i--) advert[random.below(8)]! ^= 1 << random.below(8)
    inputs.push(advert.slice(0, 1 + random.below(20)))
  })
  for (const bytes of inputs) {
    const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
    const said = await lab.command(
      'c',
      `printf '${octal}' > /tmp/m; hping3 -q -c 1 -i u1000 -0 -H 112 -t 255 -d ${bytes.length} -E /tmp/m 224.0.0.18 > /tmp/log 2>&1; hping3 -q -c 1 -i u1000 -0 -H 112 -t 255 -d ${bytes.length} -E /tmp/m 10.0.0.2 > /tmp/log 2>&1`,
    )
    expect(said.output).toBe('')
  }
  await lab.command('c', 'sleep 2')
  expect(await holders(lab)).toBe('0 1')
  for (const host of ['a', 'b'])
    expect((await lab.command(host, 'ps -e -o comm | grep -c keepalived')).output).toBe('2\n')
}, 60_000)

test('whoever dies, exactly one has the address in the end', async () => {
  const lab = await routers(false)
  await lab.verb({ verb: 'poweroff', host: 'b' })
  await lab.command('c', 'sleep 6')
  expect((await lab.command('a', 'ip addr show eth0 | grep -c 10.0.0.100')).output).toBe('1\n')
})

test('no configuration makes it fail but in words', async () => {
  const lab = makeLab(false)
  const pieces = `${instance(100)}virtual_server 10.0.0.100 80 {
  delay_loop 2
  lb_algo rr
  lb_kind DR
  protocol TCP
  sorry_server 10.0.0.8 80
  real_server 10.0.0.9 80 {
    weight 1
    TCP_CHECK {
      connect_timeout 3
      retry 2
    }
    HTTP_GET {
      url {
        path /
        status_code 200
      }
    }
  }
}
vrrp_sync_group G {
  group {
    VI_1
  }
}
global_defs {
  router_id "a b"
  vrrp_version 3
}
`.split('\n')
  const words = ['{', '}', '"', '5', '-1', 'x', '99999', '10.0.0.1/24', 'eth0', '!', '@b', '$A', '']
  const files: string[] = []
  forSeeds(60, (random) => {
    const lines = [...pieces]
    for (let i = 1 + random.below(6); i > 0; i--) {
      const at = random.below(lines.length)
      const kind = random.below(4)
      if (kind === 0) lines.splice(at, 1)
      else if (kind === 1) lines.splice(at, 0, lines[random.below(lines.length)]!)
      else if (kind === 2) lines[at] = `${lines[at]} ${words[random.below(words.length)]}`
      else lines[at] = lines[at]!.replace(/\S+$/, words[random.below(words.length)]!)
    }
    files.push(lines.join('\n'))
  })
  for (const file of files) {
    lab.writeFile('a', '/tmp/c', file)
    const { output } = await lab.command('a', 'keepalived -t -f /tmp/c > /tmp/log 2>&1; echo $?')
    expect(['0', '2', '4', '5', '6'], file).toContain(output.trim())
  }
}, 60_000)

const tshark = spawnSync('tshark', ['--version']).status === 0

test.skipIf(!tshark).each([
  ['version 2 with a password', 'authentication {\n auth_type PASS\n auth_pass secret\n }'],
  ['version 3', 'version 3'],
])(
  'tshark reads adverts of %s without a complaint (skipped: no tshark)',
  async (_, more) => {
    const lab = await routers(true, more)
    await lab.command('b', 'kill $(cat /run/keepalived.pid); sleep 2')
    const captures = await lab.finish()
    const folder = mkdtempSync(join(tmpdir(), 'kaidoku-vrrp-'))
    try {
      const capture = captures.find((each) => each.host === 'c' && each.interface === 'eth0')!
      const file = join(folder, 'vrrp.pcap')
      const writer = new PcapWriter({ startS: 0 })
      for (const { s, ns, bytes } of capture.frames) writer.writeBytes(s, ns, bytes)
      writeFileSync(file, writer.bytes())
      const read = (...args: string[]) => spawnSync('tshark', ['-r', file, ...args], { encoding: 'utf8' }).stdout.trim()
      expect(read('-Y', 'vrrp && (_ws.malformed || _ws.expert)')).toBe('')
      expect(read('-o', 'ip.check_checksum:TRUE', '-Y', 'ip.checksum.bad || vrrp.checksum.status == "Bad"')).toBe('')
      expect(new Set(read('-Y', 'vrrp', '-T', 'fields', '-e', 'vrrp.prio').split('\n'))).toEqual(
        new Set(['100', '150', '0']),
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
  60_000,
)
