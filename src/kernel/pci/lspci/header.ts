/** What `-v` shows of the three kinds of headers: regions, windows, status. PCI 3.0, 6.1; PCI-to-PCI Bridge 1.2, 3.2; PC Card 8.0. */
import { showCapabilities } from './capabilities.ts'
import { type Fn, IO, MEMORY, MEMORY_64, PREFETCH } from './function.ts'
import { field, flags, hex, type Look } from './space.ts'

export interface HeaderLook extends Look {
  fn: Fn
  busView: boolean
  warn(text: string): void
}

const DEVSEL = ['fast', 'medium', 'slow', '??']

function size(bytes: bigint): string {
  if (bytes === 0n) return ''
  let i = 0
  let rest = bytes
  while (i < 4 && rest % 1024n === 0n) {
    rest /= 1024n
    i++
  }
  return ` [size=${BigInt.asUintN(32, rest)}${'KMGT'[i - 1] ?? ''}]`
}

/** A base register's low bits, as the kernel's flags tell them. */
function lowBits(ioFlags: number): number {
  if (ioFlags & IO) return 1
  if (!(ioFlags & MEMORY)) return 0
  return (ioFlags & MEMORY_64 ? 4 : 0) | (ioFlags & PREFETCH ? 8 : 0)
}

/** @param registers false if the configuration space makes no sense */
function showRegions(look: HeaderLook, count: number, registers = true): void {
  const { fn, space, verbose, print } = look
  const command = registers ? space.u16(4) : 3
  const bases = fn.bases(look.busView, look.warn)
  for (let i = 0; i < count; i++) {
    const base = bases[i] ?? 0n
    const region = fn.region(i, look.busView)
    let low = region ? lowBits(region.flags) : registers ? space.u32(0x10 + 4 * i) : 0
    if (low === 0xffff_ffff) low = 0
    if (base === 0n && low === 0 && !region?.size) continue
    print(verbose > 1 ? `\tRegion ${i}: ` : '\t')
    // What the system says may not be what the hardware has.
    let inHardware = 0
    let broken = false
    let virtual = false
    if (region && registers) {
      inHardware = space.u32(0x10 + 4 * i)
      let high = 0
      if ((inHardware & 1) === (lowBits(region.flags) & 1)) {
        if (!(region.flags & IO) && region.flags & MEMORY && (inHardware & 6) === 4) {
          if (i >= count - 1) broken = true
          else high = space.u32(0x14 + 4 * i)
        }
        if (base !== 0n && inHardware === 0 && high === 0 && !(region.flags & 32)) virtual = true
      }
      inHardware = inHardware || high
    }
    const nowhere = inHardware ? '<ignored>' : '<unassigned>'
    const isIo = (low & 1) !== 0
    const address = isIo ? base & ~3n : base & ~15n
    if (isIo) {
      print(`I/O ports at ${address !== 0n || command & 1 ? hex(address, 4) : nowhere}`)
    } else {
      const width = ['32-bit', 'low-1M', '64-bit', 'type 3'][field(low, 1, 2)]
      const shown = broken ? '<broken-64-bit-slot>' : address !== 0n ? hex(address, 8) : nowhere
      print(`Memory at ${shown} (${width}, ${low & 8 ? '' : 'non-'}prefetchable)`)
    }
    if (virtual) print(' [virtual]')
    else if (!(command & (isIo ? 1 : 2))) print(' [disabled]')
    if (region && region.flags & 32) print(' [enhanced]')
    print(`${size(region?.size ?? 0n)}\n`)
  }
}

function showRom({ fn, space, print, busView }: HeaderLook, register: number | undefined): void {
  const rom = fn.rom(busView)
  const region = fn.region(6, busView)
  const command = register === undefined ? 2 : space.u16(4)
  let value = register === undefined ? BigInt(lowBits(region?.flags ?? 0)) : BigInt(space.u32(register))
  if (rom === 0n && value === 0n && !region?.size) return
  const bits = ~0x7ffn
  const address = rom & bits
  const virtual = register !== undefined && address !== 0n && (value & bits) === 0n && !((region?.flags ?? 0) & 32)
  if (virtual) value = rom
  print(`\tExpansion ROM at ${address !== 0n ? hex(address, 8) : value & bits ? '<ignored>' : '<unassigned>'}`)
  if (virtual) print(' [virtual]')
  if (!(value & 1n)) print(' [disabled]')
  else if (!virtual && !(command & 2)) print(' [disabled by cmd]')
  if (region && region.flags & 32) print(' [enhanced]')
  print(`${size(region?.size ?? 0n)}\n`)
}

function showWindow(look: Look, name: string, base: bigint, limit: bigint, bits: number, off = false): void {
  const digits = Math.ceil(bits / 4)
  const real = base <= limit
  look.print(`\t${name} behind bridge:`)
  if (real || look.verbose > 2) look.print(` ${hex(base, digits)}-${hex(BigInt.asUintN(64, limit), digits)}`)
  look.print(`${!off && real ? size(limit - base + 1n) : ' [disabled]'}${bits ? ` [${bits}-bit]` : ''}\n`)
}

/** A window's registers: the low bits of both must say the same width. */
interface Window {
  name: string
  complaint: string
  base: number
  limit: number
  /** The low bits that say how wide it is, and what they may be. */
  types: Record<number, number>
  typeMask: number
  /** What the registers leave out below. */
  shift: number
  grain: bigint
  upper: (base: boolean) => bigint
  /** Which of the system's bridge windows it is. */
  number: number
}

function showBridgeWindow(look: HeaderLook, window: Window): void {
  const { fn, print } = look
  const resource = fn.region(7 + window.number, look.busView)
  const off = resource !== undefined && resource.size === 0n
  if (resource && !off) {
    // The width would be in the address's low bits, which the system leaves out: so it is always the narrow one.
    const { base, size: length } = resource
    showWindow(look, window.name, base, base + length - 1n, window.number === 0 ? 16 : 32)
    return
  }
  const type = window.base & window.typeMask
  const bits = window.types[type]
  if (type !== (window.limit & window.typeMask) || bits === undefined) {
    print(`\t!!! Unknown ${window.complaint} range types ${hex(window.base)}/${hex(window.limit)}\n`)
    return
  }
  const value = (register: number, base: boolean) => {
    const low = BigInt(register & ~window.typeMask) << BigInt(window.shift)
    return type === 0 ? low : low | window.upper(base)
  }
  const base = value(window.base, true)
  const limit = value(window.limit, false)
  if (base === 0n && limit === 0n && off && window.number !== 1) return
  showWindow(look, window.name, base, limit + window.grain - 1n, bits, off)
}

function showBridge(look: HeaderLook): void {
  const { space, verbose, print } = look
  showRegions(look, 2)
  showBuses(look)
  showBridgeWindow(look, {
    name: 'I/O',
    complaint: 'I/O',
    base: space.u8(0x1c),
    limit: space.u8(0x1d),
    types: { 0: 16, 1: 32 },
    typeMask: 15,
    shift: 8,
    grain: 0x1000n,
    upper: (base) => BigInt(space.u16(base ? 0x30 : 0x32)) << 16n,
    number: 0,
  })
  showBridgeWindow(look, {
    name: 'Memory',
    complaint: 'memory',
    base: space.u16(0x20),
    limit: space.u16(0x22),
    types: { 0: 32 },
    typeMask: 15,
    shift: 16,
    grain: 0x100000n,
    upper: () => 0n,
    number: 1,
  })
  showBridgeWindow(look, {
    name: 'Prefetchable memory',
    complaint: 'prefetchable memory',
    base: space.u16(0x24),
    limit: space.u16(0x26),
    types: { 0: 32, 1: 64 },
    typeMask: 15,
    shift: 16,
    grain: 0x100000n,
    upper: (base) => BigInt(space.u32(base ? 0x28 : 0x2c)) << 32n,
    number: 2,
  })
  const control = space.u16(0x3e)
  if (verbose > 1) {
    const status = space.u16(0x1e)
    print(`\tSecondary status: ${flags(status, '66MHz 5 FastB2B 7 ParErr 8')} DEVSEL=${DEVSEL[field(status, 9, 2)]} `)
    print(`${flags(status, '>TAbort 11 <TAbort 12 <MAbort 13 <SERR 14 <PERR 15')}\n`)
  }
  showRom(look, 0x38)
  if (verbose > 1) {
    const names = 'Parity 0 SERR 1 NoISA 2 VGA 3 VGA16 4 MAbort 5 >Reset 6 FastB2B 7'
    print(`\tBridgeCtl: ${flags(control, names)}\n`)
    print(`\t\t${flags(control, 'PriDiscTmr 8 SecDiscTmr 9 DiscTmrStat 10 DiscTmrSERREn 11')}\n`)
  }
  showCapabilities(look, 0x34)
}

function showBuses({ fn, space, print }: HeaderLook): void {
  const { primary, secondary, subordinate } = fn.buses
  print(`\tBus: primary=${hex(primary, 2)}, secondary=${hex(secondary, 2)}, subordinate=${hex(subordinate, 2)}, `)
  print(`sec-latency=${space.u8(0x1b)}\n`)
}

function showCardBus(look: HeaderLook): void {
  const { space, verbose, print } = look
  const command = space.u16(4)
  const control = space.u16(0x3e)
  showRegions(look, 1)
  showBuses(look)
  for (let i = 0; i < 2; i++) {
    const base = space.u32(0x1c + 8 * i)
    const limit = (space.u32(0x20 + 8 * i) + 0xfff) >>> 0
    if (base > limit && verbose <= 2) continue
    print(`\tMemory window ${i}: ${hex(base, 8)}-${hex(limit, 8)}${command & 2 ? '' : ' [disabled]'}`)
    print(`${control & (0x100 << i) ? ' (prefetchable)' : ''}\n`)
  }
  for (let i = 0; i < 2; i++) {
    let base = space.u32(0x2c + 8 * i)
    let limit = space.u32(0x30 + 8 * i)
    if (!(base & 1)) {
      base &= 0xffff
      limit &= 0xffff
    }
    base = (base & ~3) >>> 0
    limit = ((limit & ~3) + 3) >>> 0
    if (base > limit && verbose <= 2) continue
    print(`\tI/O window ${i}: ${hex(base, 8)}-${hex(limit, 8)}${command & 1 ? '' : ' [disabled]'}\n`)
  }
  if (space.u16(0x16) & 0x4000) print('\tSecondary status: SERR\n')
  if (verbose > 1) {
    const names = 'Parity 0 SERR 1 ISA 2 VGA 3 MAbort 5 >Reset 6 16bInt 7 PostWrite 10'
    print(`\tBridgeCtl: ${flags(control, names)}\n`)
  }
  if (space.standard < 128) {
    print('\t<access denied to the rest>\n')
    return
  }
  const legacy = space.u16(0x44)
  if (legacy !== 0) print(`\t16-bit legacy interface ports at ${hex(legacy, 4)}\n`)
  showCapabilities(look, 0x14)
}

/** What a system knows though the registers say nothing. */
function showUnknown(look: HeaderLook): void {
  if (look.busView) return
  showRegions(look, 6, false)
  for (let i = 0; i < 4; i++) {
    const region = look.fn.region(7 + i, false)
    if (!region?.base) continue
    const { base, size: length, flags: is } = region
    const name = is & IO ? 'I/O' : is & MEMORY ? (is & PREFETCH ? 'Prefetchable memory' : 'Memory') : 'Unknown resource'
    const bits = is & IO ? 32 : is & MEMORY ? (is & MEMORY_64 ? 64 : 32) : 0
    showWindow(look, name, base, base + length - 1n, bits)
  }
  showRom(look, undefined)
}

/** The lines behind the first one of `-v`. */
export function showHeader(look: HeaderLook): void {
  const { fn, space, verbose, print } = look
  const type = space.headerType
  const known = type >= 0 && type <= 2
  const shownClass = hex(fn.ids.class, 4)
  const wrong = type === 0 ? fn.ids.class === 0x0604 : known && fn.ids.class >> 8 !== 6
  if (wrong) print(`\t!!! Invalid class ${shownClass} for header type ${hex(type, 2)}\n`)
  if (!known && space.readable) print(`\t!!! Unknown header type ${hex(type, 2)}\n`)
  const { os } = fn.of
  if (os?.slot !== undefined) print(`\tPhysical Slot: ${os.slot}\n`)
  const command = known ? space.u16(4) : 0
  const status = known ? space.u16(6) : 0
  const devsel = DEVSEL[field(status, 9, 2)]
  if (known && verbose > 1) {
    const controls =
      'I/O 0 Mem 1 BusMaster 2 SpecCycle 3 MemWINV 4 VGASnoop 5 ParErr 6 Stepping 7 SERR 8 FastB2B 9 DisINTx 10'
    print(`\tControl: ${flags(command, controls)}\n`)
    print(`\tStatus: ${flags(status, 'Cap 4 66MHz 5 UDF 6 FastB2B 7 ParErr 8')} DEVSEL=${devsel} `)
    print(`${flags(status, '>TAbort 11 <TAbort 12 <MAbort 13 >SERR 14 <PERR 15 INTx 3')}\n`)
    if (command & 4) showLatency(look)
  }
  const irq = busViewIrq(look)
  if (verbose > 1) {
    const pin = known ? space.u8(0x3d) : 0
    if (pin || irq) print(`\tInterrupt: pin ${pin ? String.fromCharCode(64 + pin) : '?'} routed to IRQ ${irq}\n`)
    if (os?.numaNode !== undefined) print(`\tNUMA node: ${os.numaNode}\n`)
    if (os?.iommuGroup !== undefined) print(`\tIOMMU group: ${os.iommuGroup}\n`)
  } else if (known) {
    const words: [number, string][] = [
      [command & 4, 'bus master'],
      [command & 0x20, 'VGA palette snoop'],
      [command & 0x80, 'stepping'],
      [command & 0x200, 'fast Back2Back'],
      [status & 0x20, '66MHz'],
      [status & 0x40, 'user-definable features'],
    ]
    const list = words.filter(([on]) => on).map(([, word]) => word)
    list.push(`${devsel} devsel`)
    if (command & 4) list.push(`latency ${space.u8(0x0d)}`)
    if (irq) list.push(`IRQ ${irq}`)
    if (os?.numaNode !== undefined) list.push(`NUMA node ${os.numaNode}`)
    if (os?.iommuGroup !== undefined) list.push(`IOMMU group ${os.iommuGroup}`)
    print(`\tFlags: ${list.join(', ')}\n`)
  }
  const bist = known ? space.u8(0x0f) : 0
  if (bist & 0x80) print(bist & 0x40 ? '\tBIST is running\n' : `\tBIST result: ${hex(bist & 15, 2)}\n`)
  if (type === 0) {
    showRegions(look, 6)
    showRom(look, 0x30)
    showCapabilities(look, 0x34)
  } else if (type === 1) showBridge(look)
  else if (type === 2) showCardBus(look)
  else showUnknown(look)
}

function busViewIrq({ fn, busView, space }: HeaderLook): number {
  return busView ? space.raw(0x3c, 1) : fn.irq
}

/** How long it may keep the bus, and what it would like, in steps of 250 ns. */
function showLatency({ space, print }: Look): void {
  const type = space.headerType
  const least = type === 0 ? space.u8(0x3e) : 0
  const most = type === 0 ? space.u8(0x3f) : 0
  const wishes = []
  if (least) wishes.push(`${least * 250}ns min`)
  if (most) wishes.push(`${most * 250}ns max`)
  const line = space.u8(0x0c)
  print(`\tLatency: ${space.u8(0x0d)}${wishes.length > 0 ? ` (${wishes.join(', ')})` : ''}`)
  print(`${line ? `, Cache Line Size: ${line * 4} bytes` : ''}\n`)
}
