import { describe, expect, test } from 'vitest'
import { ApicBus, emitMsi, type InterruptMessage, IoApic, LocalApic, type Processor, parseMsi } from './index.ts'

const ENABLED = 0x1ff

function machine(cpus = 1, processor: (id: number) => Processor = () => ({})) {
  const bus = new ApicBus()
  const locals = Array.from({ length: cpus }, (_, id) => new LocalApic(bus, id, processor(id)))
  for (const each of locals) each.write(0xf0, ENABLED)
  const io = new IoApic({ send: (message) => bus.send(message) })
  bus.onEndOfInterrupt((vector) => io.endOfInterrupt(vector))
  const entry = (pin: number, low: number, high = 0) => {
    io.write(0, 0x11 + 2 * pin)
    io.write(0x10, high)
    io.write(0, 0x10 + 2 * pin)
    io.write(0x10, low)
  }
  return { bus, locals, io, entry, cpu: locals[0]! }
}

describe('the I/O APIC', () => {
  test('its registers after a reset', () => {
    const { io } = machine()
    const read = (register: number) => {
      io.write(0, register)
      return io.read(0x10)
    }
    expect([0, 1, 2, 0x10, 0x11, 0x3e, 0x40].map(read)).toEqual([0, 0x170011, 0, 0x10000, 0, 0x10000, 0])
    io.write(0, 0)
    io.write(0x10, 0xff000000)
    expect([read(0), read(2)]).toEqual([0x0f000000, 0x0f000000])
  })

  test('delivery status and remote IRR can’t be written', () => {
    const { io, entry } = machine()
    entry(3, 0x15000 | 0x31)
    io.write(0, 0x16)
    expect(io.read(0x10)).toBe(0x10031)
  })

  test('an edge is one message; one that comes to a masked pin is lost', () => {
    const { io, entry, cpu } = machine()
    entry(4, 0x41)
    io.setPin(4, true)
    expect(cpu.acknowledge()).toBe(0x41)
    cpu.endOfInterrupt()
    expect(cpu.pending).toBeUndefined()
    io.setPin(4, false)
    entry(4, 0x10041)
    io.setPin(4, true)
    entry(4, 0x41)
    expect(cpu.pending).toBeUndefined()
    io.setPin(4, false)
    io.setPin(4, true)
    expect(cpu.pending).toBe(0x41)
  })

  test('a level waits for the end, and comes again while it lasts', () => {
    const { io, entry, cpu } = machine()
    entry(10, 0x8051)
    io.setPin(10, true)
    expect(cpu.acknowledge()).toBe(0x51)
    expect(io.entry(10).low).toBe(0xc051) // Remote IRR.
    expect(cpu.pending).toBeUndefined()
    cpu.write(0xb0, 0)
    expect(cpu.pending).toBe(0x51)
    cpu.acknowledge()
    io.setPin(10, false)
    cpu.write(0xb0, 0)
    expect([cpu.pending, io.entry(10).low]).toEqual([undefined, 0x8051])
  })

  test('a level that is masked and unmasked in between isn’t lost', () => {
    const { io, entry, cpu } = machine()
    entry(10, 0x18051)
    io.setPin(10, true)
    expect(cpu.pending).toBeUndefined()
    entry(10, 0x8051)
    expect(cpu.pending).toBe(0x51)
  })

  test('switching to edge and back clears remote IRR', () => {
    const { io, entry, cpu } = machine()
    entry(10, 0x8051)
    io.setPin(10, true)
    cpu.acknowledge()
    entry(10, 0x10051)
    expect(io.entry(10).low).toBe(0x10051)
  })

  test('nobody accepts: the entry says that it waits', () => {
    const { io, entry, cpu } = machine()
    cpu.write(0xf0, 0xff) // Disabled.
    entry(10, 0x8051)
    io.setPin(10, true)
    expect(io.entry(10).low).toBe(0x9051)
  })

  test('version 20h ends an interrupt by its own register', () => {
    const sent: InterruptMessage[] = []
    const io = new IoApic({ version: 0x20, send: (message) => sent.push(message) > 0 })
    io.write(0, 0x10 + 2 * 9)
    io.write(0x10, 0x8061)
    io.setPin(9, true)
    io.write(0x40, 0x61)
    expect(sent.length).toBe(2)
  })
})

describe('the local APIC', () => {
  test('its registers after a reset', () => {
    const cpu = new LocalApic(new ApicBus(), 3)
    const at = [0x20, 0x80, 0xa0, 0xd0, 0xe0, 0xf0, 0x100, 0x200, 0x320, 0x350, 0x370]
    expect(at.map((offset) => cpu.read(offset))).toEqual([
      0x03000000, 0, 0, 0, 0xffffffff, 0xff, 0, 0, 0x10000, 0x10000, 0x10000,
    ])
    expect(cpu.read(0x30) & 0xff00ff).toBe(0x50014)
  })

  test('classes of sixteen vectors: only a higher one interrupts', () => {
    const { bus, cpu } = machine()
    const send = (vector: number) => bus.send({ vector, mode: 'fixed', destination: 0, logical: false, level: false })
    send(0x45)
    expect(cpu.acknowledge()).toBe(0x45)
    send(0x4f)
    expect(cpu.pending).toBeUndefined()
    send(0x51)
    expect(cpu.acknowledge()).toBe(0x51)
    expect(cpu.read(0xa0)).toBe(0x50)
    cpu.write(0xb0, 0)
    expect(cpu.pending).toBeUndefined()
    cpu.write(0xb0, 0)
    expect(cpu.pending).toBe(0x4f)
  })

  test('the task’s priority keeps back its class and those below', () => {
    const { bus, cpu } = machine()
    cpu.write(0x80, 0x52)
    bus.send({ vector: 0x5f, mode: 'fixed', destination: 0, logical: false, level: false })
    expect([cpu.pending, cpu.read(0xa0)]).toEqual([undefined, 0x52])
    cpu.write(0x80, 0x4f)
    expect(cpu.pending).toBe(0x5f)
  })

  test('requests, service and triggers can be read, 32 vectors a register', () => {
    const { bus, cpu } = machine()
    bus.send({ vector: 0x91, mode: 'fixed', destination: 0, logical: false, level: true })
    expect([cpu.read(0x240), cpu.read(0x1c0), cpu.read(0x140)]).toEqual([1 << 17, 1 << 17, 0])
    cpu.acknowledge()
    expect([cpu.read(0x240), cpu.read(0x1c0), cpu.read(0x140)]).toEqual([0, 1 << 17, 1 << 17])
  })

  test('an acknowledgement without a request is spurious, and nothing is in service', () => {
    const { cpu } = machine()
    expect([cpu.acknowledge(), cpu.isr.highest]).toEqual([0xff, -1])
  })

  test('vectors below 16 are errors of who sends and who receives', () => {
    const { bus, cpu } = machine()
    cpu.write(0x370, 0xfe)
    cpu.write(0x300, 0x0f)
    expect(cpu.acknowledge()).toBe(0xfe)
    cpu.write(0x280, 0)
    expect(cpu.read(0x280)).toBe(0x20)
    bus.send({ vector: 3, mode: 'fixed', destination: 0, logical: false, level: false })
    cpu.write(0x280, 0)
    expect(cpu.read(0x280)).toBe(0x40)
  })

  test('who is disabled has masked sources, and they stay so', () => {
    const { cpu } = machine()
    cpu.write(0x320, 0x40)
    cpu.write(0xf0, 0xff)
    cpu.write(0x320, 0x40)
    expect(cpu.read(0x320)).toBe(0x10040)
    cpu.write(0xf0, ENABLED)
    cpu.signal('timer')
    expect(cpu.pending).toBeUndefined()
    cpu.write(0x320, 0x40)
    cpu.signal('timer')
    expect(cpu.pending).toBe(0x40)
  })

  test('LINT0 as the way from the 8259 pair, LINT1 as NMI', () => {
    const heard: string[] = []
    const { cpu } = machine(1, () => ({ external: () => heard.push('external'), nmi: () => heard.push('nmi') }))
    cpu.write(0x350, 0x700)
    cpu.write(0x360, 0x400)
    cpu.signal('lint0')
    cpu.signal('lint1')
    expect(heard).toEqual(['external', 'nmi'])
  })
})

describe('destinations', () => {
  const flat = (count: number) => {
    const made = machine(count)
    made.locals.forEach((each, id) => {
      each.write(0xd0, 1 << (24 + id))
    })
    return made
  }
  const requested = (locals: LocalApic[]) => locals.flatMap((each) => (each.irr.highest >= 0 ? [each.id] : []))

  test.each([
    ['physical', 2, false, [2]],
    ['physical, all', 0xff, false, [0, 1, 2, 3]],
    ['logical, a set', 0b1010, true, [1, 3]],
    ['logical, nobody', 0b10000, true, []],
  ])('%s', (_, destination, logical, who) => {
    const { bus, locals } = flat(4)
    const accepted = bus.send({ vector: 0x40, mode: 'fixed', destination, logical, level: false })
    expect([requested(locals), accepted]).toEqual([who, who.length > 0])
  })

  test('clusters', () => {
    const { bus, locals } = flat(4)
    locals.forEach((each, id) => {
      each.write(0xe0, 0x0fffffff)
      each.write(0xd0, ((id >> 1) << 28) | (1 << (24 + (id & 1))))
    })
    bus.send({ vector: 0x40, mode: 'fixed', destination: 0x13, logical: true, level: false })
    expect(requested(locals)).toEqual([2, 3])
  })

  test('the lowest priority takes it', () => {
    const { bus, locals } = flat(3)
    locals[0]!.write(0x80, 0x60)
    locals[1]!.write(0x80, 0x20)
    locals[2]!.write(0x80, 0x40)
    bus.send({ vector: 0x70, mode: 'lowest', destination: 0xff, logical: true, level: false })
    expect(requested(locals)).toEqual([1])
  })

  test.each([
    ['to one', 0x00040, [2]],
    ['to oneself', 0x40040, [0]],
    ['to all', 0x80040, [0, 1, 2]],
    ['to all others', 0xc0040, [1, 2]],
  ])('an interrupt from processor to processor: %s', (_, low, who) => {
    const { locals, cpu } = machine(3)
    cpu.write(0x310, 2 << 24)
    cpu.write(0x300, low)
    expect(requested(locals)).toEqual(who)
  })

  test('INIT and startup wake a processor; the end of INIT doesn’t', () => {
    const heard: unknown[] = []
    const { cpu } = machine(2, (id) => ({
      init: () => heard.push([id, 'init']),
      startup: (page) => heard.push([id, page]),
    }))
    cpu.write(0x310, 1 << 24)
    cpu.write(0x300, 0x0c500)
    cpu.write(0x300, 0x08500)
    cpu.write(0x300, 0x00699)
    expect(heard).toEqual([
      [1, 'init'],
      [1, 0x99],
    ])
  })
})

describe('messages from devices', () => {
  test.each([
    [
      { address: 0xfee00000, data: 0x4041 },
      { vector: 0x41, mode: 'fixed', destination: 0, logical: false, level: false },
    ],
    [
      { address: 0xfee0300c, data: 0x0022 },
      { vector: 0x22, mode: 'lowest', destination: 3, logical: true, level: false },
    ],
    [
      { address: 0xfee01004, data: 0x0400 },
      { vector: 0, mode: 'nmi', destination: 1, logical: false, level: false },
    ],
    [
      { address: 0xfee01000, data: 0xc130 },
      { vector: 0x30, mode: 'lowest', destination: 1, logical: false, level: true },
    ],
  ] as const)('%j', (msi, message) => expect(parseMsi(msi)).toEqual(message))

  test('another address is no interrupt', () => {
    expect(parseMsi({ address: 0xfec00000, data: 0x41 })).toBeUndefined()
  })

  test.each([
    { vector: 0x33, mode: 'fixed', destination: 5, logical: false, level: false },
    { vector: 0x33, mode: 'lowest', destination: 5, logical: true, level: false },
    { vector: 0, mode: 'nmi', destination: 1, logical: false, level: false },
    { vector: 0x44, mode: 'fixed', destination: 0xff, logical: false, level: true },
  ] as const)('what is emitted is parsed: %j', (message) => expect(parseMsi(emitMsi(message))).toEqual(message))
})
