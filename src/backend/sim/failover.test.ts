/**
 * What the article on connection failover says in numbers: fifty open downloads, and the active director's power is cut at
 * a moment drawn by chance. `KAIDOKU_FAILOVERS` says how many moments; the article's figure is that of 200.
 */
import { describe, expect, test } from 'vitest'
import { parseArticle } from '#article/format'
import { DEFAULT_START } from '#article/runner'
import { SECOND } from '#base/sim'
import { ipvsState, stateName } from '#kernel/ipvs'
import { applyVerb } from '#lab/faults'
import { SimLab } from './index.ts'

const DOWNLOADS = 50
const MOMENTS = Number(process.env['KAIDOKU_FAILOVERS'] ?? 20)
/** What becomes of a connection's news before it is sent: it is kept for two seconds at most, and the thread looks once a second. */
const TOLD_WITHIN_S = 3.1
const BYTES = 40_000
/** net.ipv4.vs.sync_threshold. */
const THRESHOLD = 3

const keepalived = (priority: number) => `
\`\`\`conf lb${priority === 150 ? 1 : 2}:/etc/keepalived/keepalived.conf
vrrp_instance director {
    state BACKUP
    interface eth0
    virtual_router_id 100
    priority ${priority}
    virtual_ipaddress {
        10.0.0.100/32
    }
}
\`\`\`
`

const QUIET = 'sysctl: { net.ipv4.conf.all.arp_ignore: 1, net.ipv4.conf.all.arp_announce: 2 }'

/** The article's lab with a slow reader, so that fifty small downloads stay open for a while. */
const LAB = `---
title: failover
lab:
  networks: { lan: { rate: 2mbit } }
  hosts:
    client: { eth0: lan 10.0.0.9/24, sysctl: { net.ipv4.tcp_rmem: 4096 4096 4096 } }
    lb1: { eth0: lan 10.0.0.11/24 }
    lb2: { eth0: lan 10.0.0.12/24 }
    web1: { eth0: lan 10.0.0.21/24, lo: 10.0.0.100/32, ${QUIET} }
    web2: { eth0: lan 10.0.0.22/24, lo: 10.0.0.100/32, ${QUIET} }
---
${keepalived(150)}
${keepalived(100)}
`

const TABLE = `ipvsadm -A -t 10.0.0.100:80 -s rr
for n in 21 22; do ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.$n -g; done
keepalived`
const DAEMONS = `ipvsadm --start-daemon master --mcast-interface eth0 --syncid 1
ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 1`
const SERVE = `mkdir /tmp/www; cd /tmp/www; head -c ${BYTES} /dev/zero > file; python3 -m http.server 80 > /tmp/log 2>&1 &`

interface Download {
  /** It was open when lb1 died. */
  open: boolean
  /** lb1 had seen three packets of it, long enough before its death for the news to be sent. */
  passed: boolean
  /** lb2 had been told of it. */
  told: boolean
  whole: boolean
}

/** The clients' ports of the connections that a director has, by the packets that have come in. */
function connections(lab: SimLab, host: string): Map<number, number> {
  const conns = ipvsState.peek(lab.world.host(host).kernel)?.conns.list() ?? []
  const open = conns.filter((cp) => stateName(cp) === 'ESTABLISHED')
  return new Map(open.map((cp) => [cp.cport, cp.inPkts]))
}

async function failover(seed: number, synchronised: boolean): Promise<Download[]> {
  const { article } = parseArticle(LAB, 'failover.md')
  const lab = new SimLab(article!.lab!, { seed, start: DEFAULT_START, capture: false })
  for (const block of article!.blocks) if (block.kind === 'file') lab.writeFile(block.host, block.path, block.content)
  for (const host of ['web1', 'web2']) await lab.command(host, SERVE)
  for (const host of ['lb1', 'lb2']) await lab.command(host, synchronised ? `${TABLE}\n${DAEMONS}` : TABLE)
  await lab.command('client', 'sleep 5')
  const curl = `curl -s -o /dev/null -w '%{size_download}' --local-port $((20000 + i)) http://10.0.0.100/file`
  const began = lab.nowNs
  await lab.command('client', `for i in $(seq ${DOWNLOADS}); do ${curl} > /tmp/$i 2> /dev/null & done`)
  const deathNs = Math.round(began + (0.5 + lab.world.sim.random('moment').fraction() * 9) * SECOND)
  const toldByNs = Math.round(deathNs - TOLD_WITHIN_S * SECOND)
  let longBefore = new Map<number, number>()
  if (toldByNs >= lab.nowNs) {
    await lab.advance(toldByNs)
    longBefore = connections(lab, 'lb1')
  }
  await lab.advance(deathNs)
  const [lb1, lb2] = [connections(lab, 'lb1'), connections(lab, 'lb2')]
  applyVerb(lab.world, { verb: 'poweroff', host: 'lb1' })
  await lab.command('client', 'sleep 60')
  const { output } = await lab.command('client', `for i in $(seq ${DOWNLOADS}); do echo "$(cat /tmp/$i)"; done`)
  const sizes = output.split('\n')
  return Array.from({ length: DOWNLOADS }, (_, i): Download => {
    const port = 20_001 + i
    return {
      open: lb1.has(port),
      passed: lb1.has(port) && (longBefore.get(port) ?? 0) >= THRESHOLD,
      told: lb1.has(port) && lb2.has(port),
      whole: sizes[i] === String(BYTES),
    }
  })
}

describe('fifty downloads, and the active director dies', () => {
  test('without synchronisation, all that are open are lost', async () => {
    const open = (await failover(1, false)).filter((one) => one.open)
    expect(open.length).toBe(DOWNLOADS)
    expect(open.filter((one) => one.whole)).toEqual([])
  }, 60_000)

  test(`with it, at ${MOMENTS} moments, none of which the other had been told; and it is told of all that passed the threshold`, async () => {
    const sum = { open: 0, passed: 0, told: 0, lost: 0 }
    for (let seed = 1; seed <= MOMENTS; seed++) {
      const downloads = await failover(seed, true)
      const wrong = (which: (one: Download) => boolean) => ({ seed, lost: downloads.filter(which).length })
      expect(wrong(({ told, whole }) => told && !whole)).toEqual({ seed, lost: 0 })
      expect(wrong(({ passed, told }) => passed && !told)).toEqual({ seed, lost: 0 })
      for (const { open, passed, told, whole } of downloads) {
        if (open) sum.open++
        if (passed) sum.passed++
        if (told) sum.told++
        if (open && !whole) sum.lost++
      }
    }
    // Something was at stake, and some were cut off too early to be told of: the test could have failed.
    expect(sum.passed).toBeGreaterThan(MOMENTS * 10)
    expect(sum.told).toBeGreaterThanOrEqual(sum.passed)
    expect(sum.lost).toBe(sum.open - sum.told)
  }, 1_200_000)
})
