/** What the real one said and which calls it made with -d, beside an ipvsadm that prints what it is told: on a lab, the same. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { parseLab } from '#lab/plan'

interface Recorded {
  name: string
  config: string
  /** What `ipvsadm -L -n` prints, and with --thresholds. */
  listing: string
  thresholds: string
  /** Its status for all else. */
  fail: number
  status: number
  stdout: string
  stderr: string
  calls: string
}

const recorded = JSON.parse(readFileSync(new URL('golden/debugging.json', import.meta.url), 'utf8')) as Recorded[]

const LAB = `
networks: { lan: {} }
hosts:
  d: { eth0: lan 10.8.0.1/24, lo: 10.9.0.1/24 10.9.0.2/24 10.9.0.100/24 }
`
const IPVSADM = `#!/bin/sh
printf '%s\\n' "$*" >> calls
case "$*" in *--thresholds) cat t;; *-L*) cat l;; *) exit $(cat f);; esac
`

let lab: SimLab
beforeAll(async () => {
  lab = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
  await write('/root/run/ipvsadm', IPVSADM)
  await lab.command('d', 'chmod +x /root/run/ipvsadm; cd /root/run')
}, 60_000)

async function write(path: string, text: string): Promise<void> {
  const quoted = text.replaceAll("'", "'\\''")
  await lab.command('d', `mkdir -p $(dirname ${path}); printf %s '${quoted}' > ${path}`)
}

describe('as recorded from ldirectord 4.12.0', () => {
  test.each(recorded)('$name', async (one) => {
    await write('l', one.listing)
    await write('t', one.thresholds)
    await write('f', String(one.fail))
    await write('c.cf', one.config)
    const { status } = await lab.command(
      'd',
      'rm -f calls; timeout 2 ldirectord -d ./c.cf start > out 2> err < /dev/null; s=$?; touch calls; (exit $s)',
    )
    const { output: text } = await lab.command('d', 'cat err')
    const { output: calls } = await lab.command('d', 'cat calls')
    expect(masked(text)).toBe(masked(one.stderr))
    expect(calls).toBe(one.calls)
    expect(status).toBe(one.status)
  })
})

/** The pid, and when an answer was made up. */
function masked(text: string): string {
  return text
    .replaceAll(/pid: \w+/g, 'pid: PID')
    .replaceAll(/Client-Date: .*/g, 'Client-Date: ...')
    .replaceAll('\r\n', '\n')
}

test('servers that talk nonsense are down, and nothing else happens', async () => {
  const services = ['http', 'smtp', 'imap', 'nntp', 'ldap', 'ftp', 'sip', 'simpletcp', 'dns']
  const sections = services.map(
    (service, i) => `virtual=10.9.0.100:${8000 + i}
    real=10.9.0.2:143 masq
    service=${service}
    protocol=tcp
    receive="answer"
`,
  )
  await write('c.cf', `negotiatetimeout=1\ncheckinterval=1\n${sections.join('')}`)
  await write('l', 'IP Virtual Server version 1.2.1 (size=4096)\nheading\nheading\n')
  await lab.command(
    'd',
    "cp l t; echo 0 > f; socat TCP-LISTEN:143,fork,reuseaddr SYSTEM:'head -c 3000 /dev/urandom' 2> /dev/null &",
  )
  const { status } = await lab.command('d', 'timeout 40 ldirectord -d ./c.cf start > out 2> err < /dev/null; (exit $?)')
  expect(status).toBe(124)
  const { output } = await lab.command('d', 'cat err')
  expect(output.split('DEBUG2: Checking negotiate').length).toBeGreaterThan(2 * services.length)
  // Once at the beginning, before it is known better (for the last of those that have the same place); never after a check.
  expect(output.match(/^Added real server/gm)).toHaveLength(1)
  expect(output).not.toMatch(/Activated|Resetting/)
  await lab.command('d', 'kill %1')
}, 60_000)
