/** Whatever is typed, and whatever comes off the wire: ping and arping end, or print. */
import { test } from 'vitest'
import { NotModelled } from '#base/check'
import { forSeeds } from '#base/testing'
import type { Sys } from '#kernel/core'
import { arping } from './arping.ts'
import { ping } from './ping.ts'
import { describeHeader, describeIcmp, OptionsPrinter } from './ping-text.ts'

const WORDS =
  `-c -i -w -W -s -t -I -q -f -n -D -O -R -T tsonly tsprespec -p ff -Q 0x10 -b -B -L -l -M do -m -v -V -A -a -d -U -4 -6 -r -S -e -C
  -H -h -N x -F 1 -- 1 0 -1 99999999999 1.5 nan abc 0x eth0 10.0.0.1 10.0.0.1/24 1.1 nosuch -Z --foo -z`
    .trim()
    .split(/\s+/)

/** A kernel that refuses all sockets: what is tried is the way there. */
const REFUSING = {
  isatty: () => false,
  socket: () => ({ ok: false, errno: 'EPERM' }),
  netlink: () => ({ ok: true, messages: [] }),
  *open() {
    return { ok: false, errno: 'ENOENT' }
  },
  *write(_fd: number, bytes: Uint8Array) {
    return { ok: true, value: bytes.length }
  },
} as unknown as Sys

test.each([
  ['ping', ping],
  ['arping', arping],
] as const)('%s: any words', (name, program) => {
  forSeeds(3000, (random) => {
    const words = Array.from({ length: random.below(6) }, () => WORDS[random.below(WORDS.length)]!)
    const body = program(REFUSING, [name, ...words])
    try {
      for (let step = body.next(); !step.done; step = body.next());
    } catch (error) {
      if (!(error instanceof NotModelled)) throw new Error(`${name} ${words.join(' ')}`, { cause: error })
    }
  })
})

test('any options and headers are described', () => {
  const nameOf = (address: number) => String(address)
  forSeeds(5000, (random) => {
    const bytes = Uint8Array.from({ length: random.below(41) }, () => random.below(256))
    // Half begin as an option that ping knows.
    if (bytes.length > 0 && random.below(2) === 0) bytes[0] = [7, 68, 131, 137][random.below(4)]!
    new OptionsPrinter(nameOf, false).describe(bytes)
    describeIcmp(random.below(256), random.below(256), random.below(0xffffffff), nameOf)
    const header = Uint8Array.from({ length: 20 + random.below(41) }, () => random.below(256))
    describeHeader(header, nameOf)
  })
})
