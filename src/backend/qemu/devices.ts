/**
 * Asks QEMU's own models of the PC's timers: firmware of our own (`devices.s`) makes random writes, reads and pauses, from a
 * seed, on a machine whose clock counts instructions. What was answered and when is kept in `machine/clocks/golden`, a line
 * an access. Needs binutils.
 *
 *     npx tsx src/backend/qemu/devices.ts [pit|rtc|hpet|pm-timer]...
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { RandomStream } from '#base/sim'
import { oneThreadAtATime, QEMU } from './machine.ts'

const GOLDEN = join(dirname(fileURLToPath(import.meta.url)), '../../machine/clocks/golden')
const ACCESSES = 14_000

/** Ports of 8, 16 and 32 bits; memory, 32 bits. */
type Kind = 'b' | 'w' | 'l' | 'm'

/** A device under questions. */
interface Talk {
  random: RandomStream
  write(kind: Kind, at: number, value: number): void
  read(kind: Kind, at: number): void
  step(ns: number): void
}

const HPET = 0xfed0_0000

function pit({ random, write, read, step }: Talk): void {
  const channel = random.below(3)
  switch (random.below(8)) {
    case 0: {
      // What is latched is read first: QEMU keeps it, the data sheet doesn't.
      for (let i = 0; i < 3; i++) read('b', 0x40 + channel)
      // Programmed anew: modes whose trigger is the gate only where there is one.
      const modes = channel === 2 ? [0, 1, 2, 3, 4, 5] : [0, 2, 3, 4]
      const mode = modes[random.below(modes.length)]!
      const access = 1 + random.below(3)
      const triggered = mode === 1 || mode === 5
      if (channel === 2) write('b', 0x61, triggered ? 0 : 1)
      write('b', 0x43, (channel << 6) | (access << 4) | (mode << 1))
      const even = (value: number) => (mode === 3 ? value & 0xfe : value)
      if (access & 1) write('b', 0x40 + channel, even(2 + random.below(254)))
      if (access & 2) write('b', 0x40 + channel, 1 + random.below(255))
      if (triggered) write('b', 0x61, 1)
      return
    }
    case 1:
      write('b', 0x43, channel << 6)
      return
    case 2:
      write('b', 0x43, 0xc0 | (random.below(4) << 4) | (2 << channel))
      return
    case 3:
      step(1 + random.below(2 ** (4 + random.below(24))))
      return
    case 4:
      read('b', 0x61)
      return
    default:
      read('b', 0x40 + channel)
  }
}

/** The calendar's format, as register B has it. */
let format = 1

function rtc({ random, write, read, step }: Talk): void {
  const put = (at: number, value: number) => {
    write('b', 0x70, at)
    write('b', 0x71, value)
  }
  const bcd = (value: number) => (Math.floor(value / 10) << 4) | (value % 10)
  switch (random.below(16)) {
    case 0: {
      // The time is set, with the calendar held; the format may change.
      format = random.below(4)
      const number = (value: number) => (format & 2 ? value : bcd(value))
      put(11, 0x80 | (format << 1))
      const hour = random.below(24)
      const half = format & 1 ? number(hour) : number(hour % 12 || 12) | (hour >= 12 ? 0x80 : 0)
      for (const [at, value] of [
        [0, number(random.below(60))],
        [2, number(random.below(60))],
        [4, half],
        [7, number(1 + random.below(28))],
        [8, number(1 + random.below(12))],
        [9, number(random.below(100))],
        [0x32, number(20)],
        [1, random.below(3) === 0 ? 0xc0 : number(random.below(60))],
        [3, random.below(2) === 0 ? 0xff : number(random.below(60))],
        [5, random.below(2) === 0 ? 0xff : half],
      ] as const) {
        put(at, value)
      }
      put(11, (random.below(8) << 4) | (format << 1))
      return
    }
    case 1:
      // The same format, other interrupts.
      put(11, (format << 1) | (random.below(8) << 4))
      return
    case 2:
      put(10, 0x20 | random.below(16))
      return
    case 3:
      if (random.below(4) === 0) {
        // The divider is held in reset.
        put(10, 0x76)
        step(1 + random.below(3_000_000_000))
        put(10, 0x26)
      }
      return
    case 4:
    case 5:
    case 6:
      step(1 + random.below(2 ** (8 + random.below(26))))
      return
    case 7:
    case 8:
      write('b', 0x70, 12)
      read('b', 0x71)
      return
    default: {
      const registers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 0x32, 0x37]
      write('b', 0x70, registers[random.below(registers.length)]!)
      read('b', 0x71)
    }
  }
}

function hpet({ random, write, read, step }: Talk): void {
  const timer = random.below(3)
  const at = HPET + 0x100 + 0x20 * timer
  switch (random.below(12)) {
    case 0: {
      // A comparator is programmed anew, while the counter stands.
      write('m', HPET + 0x10, 0)
      const low = random.below(2 ** 32)
      const high = random.below(4)
      write('m', HPET + 0xf0, low)
      write('m', HPET + 0xf4, high)
      const periodic = random.below(2)
      const narrow = random.below(2)
      const config = 4 | (random.below(2) << 1) | (periodic << 3) | (periodic << 6) | (narrow << 8)
      write('m', at, 0)
      write('m', at, config)
      if (periodic) {
        write('m', at + 8, 10_000 + random.below(2 ** (14 + random.below(12))))
        write('m', at, config & ~0x40)
        write('m', at + 8, 10_000 + random.below(2 ** (14 + random.below(12))))
      } else {
        write('m', at + 8, (low + 1 + random.below(2 ** 24)) % 2 ** 32)
        if (!narrow) write('m', at + 12, high)
      }
      write('m', HPET + 0x10, 1 | (random.below(2) << 1))
      return
    }
    case 1:
      write('m', HPET + 0x20, random.below(8))
      return
    case 2:
    case 3:
      step(1 + random.below(2 ** (6 + random.below(22))))
      return
    case 4:
      write('m', HPET + 0x10, random.below(4))
      return
    case 5:
    case 6:
      read('m', HPET + 0xf0 + 4 * random.below(2))
      return
    case 7:
      read('m', HPET + 0x20)
      return
    case 8:
      read('m', HPET + [0, 4, 0x10][random.below(3)]!)
      return
    default:
      read('m', at + 4 * random.below(4))
  }
}

function pmTimer({ random, write, read, step }: Talk): void {
  switch (random.below(6)) {
    case 0:
      write('w', 0x602, random.below(2))
      return
    case 1:
      write('w', 0x600, random.below(2))
      return
    case 2:
      step(1 + random.below(2 ** (4 + random.below(29))))
      return
    case 3:
      read('w', 0x600 + 2 * random.below(2))
      return
    default:
      read('l', 0x608)
  }
}

/** What firmware does first: the PIIX4's power management is given its ports. */
function pmSetUp({ write }: Talk): void {
  const config = (register: number, value: number) => {
    write('l', 0xcf8, 0x8000_0b00 | register)
    write('l', 0xcfc, value)
  }
  config(0x40, 0x600)
  config(0x80, 1)
}

const KINDS = { write: { b: 1, w: 2, l: 3, m: 8 }, read: { b: 4, w: 5, l: 6, m: 7 }, step: 9 }
/** Instructions from the reading of the counter to the access. */
const TO_ACCESS = 6

async function record(scratch: string, name: string, ask: (talk: Talk) => void, setUp?: (talk: Talk) => void) {
  const accesses: [what: number, at: number, value: number, text: string][] = []
  const talk: Talk = {
    random: new RandomStream(1, name),
    write: (kind, at, value) =>
      accesses.push([KINDS.write[kind], at, value >>> 0, `${at.toString(16)}=${(value >>> 0).toString(16)}`]),
    read: (kind, at) => accesses.push([KINDS.read[kind], at, 0, `${at.toString(16)}?`]),
    step: (ns) => accesses.push([KINDS.step, 0, ns >>> 0, '']),
  }
  setUp?.(talk)
  const first = accesses.length
  while (accesses.length < ACCESSES) ask(talk)
  const list = Buffer.alloc((accesses.length + 1) * 12)
  accesses.forEach(([what, at, value], i) => {
    list.writeUInt32LE(what, i * 12)
    list.writeUInt32LE(at, i * 12 + 4)
    list.writeUInt32LE(value, i * 12 + 8)
  })
  list.writeUInt32LE(99, accesses.length * 12)
  writeFileSync(join(scratch, 'list'), list)
  const child = spawn('setpriv', [
    ...['--pdeathsig', 'KILL', ...oneThreadAtATime(), QEMU, '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-machine', 'pc', '-accel', 'tcg', '-m', '64M', '-bios', join(scratch, 'rom')],
    ...['-icount', 'shift=0,align=off,sleep=off', '-rtc', 'base=2026-01-01T00:00:00,clock=vm'],
    ...['-device', `loader,file=${join(scratch, 'list')},addr=0x200000,force-raw=on`],
    ...['-chardev', 'stdio,id=out,signal=off', '-device', 'isa-debugcon,iobase=0xe9,chardev=out'],
  ])
  const parts: Buffer[] = []
  let length = 0
  child.stderr.pipe(process.stderr)
  const limit = setTimeout(() => child.kill('SIGKILL'), 100_000)
  for await (const part of child.stdout as AsyncIterable<Buffer>) {
    parts.push(part)
    length += part.length
    if (length >= accesses.length * 12) child.kill('SIGKILL')
  }
  clearTimeout(limit)
  const answers = Buffer.concat(parts)
  if (answers.length < accesses.length * 12) throw new Error(`${name}: only ${answers.length} bytes came`)
  const widths: Record<number, number> = { 4: 0xff, 5: 0xffff }
  const lines: string[] = []
  let before = 0
  accesses.forEach(([what, , , text], i) => {
    if (what === KINDS.step || i < first) return
    const at = Number(answers.readBigUInt64LE(i * 12 + 4)) + TO_ACCESS
    const value = (answers.readUInt32LE(i * 12) & (widths[what] ?? ~0)) >>> 0
    lines.push(`+${at - before} ${text}${text.endsWith('?') ? value.toString(16) : ''}`)
    before = at
  })
  writeFileSync(join(GOLDEN, `${name}.gz`), gzipSync(`${lines.join('\n')}\n`, { level: 9 }))
  console.error(`${name}: ${lines.length} accesses`)
}

const scratch = mkdtempSync(join(tmpdir(), 'kaidoku-devices-'))
try {
  const at = (name: string) => join(scratch, name)
  execFileSync('as', ['--32', '-o', at('o'), join(dirname(fileURLToPath(import.meta.url)), 'devices.s')])
  // The last 4 KiB of the ROM, which is also seen at 0F0000h.
  execFileSync('ld', ['-m', 'elf_i386', '-Ttext=0xff000', '--oformat', 'binary', '-o', at('code'), at('o')])
  const rom = Buffer.alloc(65_536, 0xff)
  readFileSync(at('code')).copy(rom, 65_536 - 4096)
  writeFileSync(at('rom'), rom)
  const wanted = process.argv.slice(2)
  const devices = { pit, rtc, hpet, 'pm-timer': pmTimer }
  for (const [name, ask] of Object.entries(devices)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    await record(scratch, name, ask, ask === pmTimer ? pmSetUp : undefined)
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
