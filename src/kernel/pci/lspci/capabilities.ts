/** The capability list of the first 256 bytes, one decoder for each kind. PCI Local Bus 3.0 6.7; appendices H and I. */
import { showEnhancedAllocation } from './enhanced-allocation.ts'
import { showExpress } from './express.ts'
import { showExtended } from './extended.ts'
import { showHyperTransport } from './hypertransport.ts'
import { field, flags, hex, type Look, sign } from './space.ts'
import { showVendorSpecific } from './vendor.ts'
import { showVpd } from './vpd.ts'

/** Prints one capability; what stands before is printed. Gives the type of an Express function. */
type Decoder = (look: Look, at: number, word: number) => number | undefined

const AUX_CURRENT_MA = [0, 55, 100, 160, 220, 270, 320, 375]

/** PCI Power Management 1.2, 3.2. */
function powerManagement({ space, verbose, print }: Look, at: number, word: number): undefined {
  print(`Power Management version ${word & 7}\n`)
  if (verbose < 2) return
  print(
    `\t\tFlags: ${flags(word, 'PMEClk 3 DSI 5 D1 9 D2 10')} AuxCurrent=${AUX_CURRENT_MA[field(word, 6, 3)]}mA ` +
      `PME(${flags(word, 'D0 11 D1 12 D2 13 D3hot 14 D3cold 15').replaceAll(' ', ',')})\n`,
  )
  if (!space.load(at + 4, 4)) return
  const control = space.u16(at + 4)
  print(
    `\t\tStatus: D${control & 3} ${flags(control, 'NoSoftRst 3 PME-Enable 8')} DSel=${field(control, 9, 4)} ` +
      `DScale=${field(control, 13, 2)} PME${sign(control & 0x8000)}\n`,
  )
  const bridge = space.u8(at + 6)
  if (bridge !== 0) print(`\t\tBridge: PM${sign(bridge & 0x80)} B3${sign(!(bridge & 0x40))}\n`)
}

/** AGP 3.0, 6.1: rates are doubled twice where the status says that it works by version 3. */
function agp({ space, verbose, print }: Look, at: number, word: number): undefined {
  const version = field(word, 4, 4)
  print(`AGP version ${hex(version)}.${hex(word & 15)}\n`)
  if (verbose < 2 || !space.load(at + 4, 8)) return
  const status = space.u32(at + 4)
  const command = space.u32(at + 8)
  const shift = version >= 3 && status & 8 ? 2 : 0
  const rates = (bits: number) =>
    [0, 1, 2]
      .filter((bit) => bits & (1 << bit))
      .map((bit) => `x${1 << (bit + shift)}`)
      .join() || '<none>'
  const sizes = (bits: number) => `ArqSz=${field(bits, 13, 3)} Cal=${field(bits, 10, 3)}`
  print(
    `\t\tStatus: RQ=${(status >>> 24) + 1} Iso${sign(status & 0x10000)} ${sizes(status)} ` +
      `${flags(status, 'SBA 9 ITACoh 8 GART64 7 HTrans 6 64bit 5 FW 4 AGP3 3')} Rate=${rates(status)}\n`,
  )
  print(
    `\t\tCommand: RQ=${(command >>> 24) + 1} ${sizes(command)} ${flags(command, 'SBA 9 AGP 8 GART64 7 64bit 5 FW 4')} ` +
      `Rate=${rates(command)}\n`,
  )
}

/** Message signalled interrupts: PCI 3.0, 6.8.1. */
function msi({ space, verbose, print }: Look, at: number, word: number): undefined {
  const wide = (word & 0x80) !== 0
  print(
    `MSI: Enable${sign(word & 1)} Count=${1 << field(word, 4, 3)}/${1 << field(word, 1, 3)} ` +
      `${flags(word, 'Maskable 8 64bit 7')}\n`,
  )
  const data = wide ? 12 : 8
  if (verbose < 2 || !space.load(at + 4, data - 2)) return
  const high = wide ? hex(space.u32(at + 8), 8) : ''
  print(`\t\tAddress: ${high}${hex(space.u32(at + 4), 8)}  Data: ${hex(space.u16(at + data), 4)}\n`)
  if (!(word & 0x100) || !space.load(at + data + 4, 8)) return
  print(`\t\tMasking: ${hex(space.u32(at + data + 4), 8)}  Pending: ${hex(space.u32(at + data + 8), 8)}\n`)
}

/** MSI-X: PCI 3.0, 6.8.2. */
function msix({ space, verbose, print }: Look, at: number, word: number): undefined {
  print(`MSI-X: Enable${sign(word & 0x8000)} Count=${(word & 0x7ff) + 1} Masked${sign(word & 0x4000)}\n`)
  if (verbose < 2 || !space.load(at + 4, 8)) return
  const where = (register: number) => `BAR=${register & 7} offset=${hex(register - (register & 7), 8)}`
  print(`\t\tVector table: ${where(space.u32(at + 4))}\n\t\tPBA: ${where(space.u32(at + 8))}\n`)
}

const SPLITS = [1, 2, 3, 4, 8, 12, 16, 32]
const BUS_CLOCKS = ['conv', '66MHz', '100MHz', '133MHz', '?4', '?5', '?6', '?7']

/** PCI-X 2.0: a function's, 7.2; a bridge's, 8.6.2. */
function pcix(look: Look, at: number): undefined {
  const { space, verbose, print } = look
  const place = (status: number) => `Dev=${hex(field(status, 8, 8), 2)}:${hex(field(status, 3, 5), 2)}.${status & 7} `
  if (space.headerType === 0) {
    print('PCI-X non-bridge device\n')
    if (verbose < 2 || !space.load(at + 4, 4)) return
    const command = space.u16(at + 2)
    const status = space.u32(at + 4)
    print(
      `\t\tCommand: ${flags(command, 'DPERE 0 ERO 1')} RBC=${1 << (9 + field(command, 2, 2))} ` +
        `OST=${SPLITS[field(command, 4, 3)]}\n`,
    )
    print(
      `\t\tStatus: ${place(status)}${flags(status, '64bit 16 133MHz 17 SCD 18 USC 19')} ` +
        `DC=${status & 0x100000 ? 'bridge' : 'simple'} DMMRBC=${1 << (9 + field(status, 21, 2))} ` +
        `DMOST=${SPLITS[field(status, 23, 3)]} DMCRS=${1 << (3 + field(status, 26, 3))} ` +
        `${flags(status, 'RSCEM 29 266MHz 30 533MHz 31')}\n`,
    )
  } else if (space.headerType === 1) {
    print('PCI-X bridge device\n')
    if (verbose < 2 || !space.load(at + 4, 12)) return
    const second = space.u16(at + 2)
    const status = space.u32(at + 4)
    print(
      `\t\tSecondary Status: ${flags(second, '64bit 0 133MHz 1 SCD 2 USC 3 SCO 4 SRD 5')} ` +
        `Freq=${BUS_CLOCKS[field(second, 6, 3)]}\n`,
    )
    print(`\t\tStatus: ${place(status)}${flags(status, '64bit 16 133MHz 17 SCD 18 USC 19 SCO 20 SRD 21')}\n`)
    for (const [name, register] of [
      ['Upstream', space.u32(at + 8)],
      ['Downstream', space.u32(at + 12)],
    ] as const) {
      print(`\t\t${name}: Capacity=${register & 0xffff} CommitmentLimit=${register >>> 16}\n`)
    }
  }
}

/** A bridge's subsystem: PCI-to-PCI Bridge 1.2, 3.2.5.13. */
function bridgeSubsystem({ space, ids, print }: Look, at: number): undefined {
  if (!space.load(at, 8)) return
  const of: [number, number] = [space.u16(0), space.u16(2)]
  print(`Subsystem: ${ids.subsystem(of, space.u16(at + 4), space.u16(at + 6))}\n`)
}

/** Advanced features of a conventional function: ECN of 2007. */
function advancedFeatures({ space, verbose, print }: Look, at: number): undefined {
  print('PCI Advanced Features\n')
  if (verbose < 2 || !space.load(at + 3, 3)) return
  print(`\t\tAFCap: ${flags(space.u8(at + 3), 'TP 0 FLR 1')}\n`)
  print(`\t\tAFCtrl: ${flags(space.u8(at + 4), 'FLR 0')}\n\t\tAFStatus: ${flags(space.u8(at + 5), 'TP 0')}\n`)
}

/** Where a SATA controller's index and data ports are: Serial ATA 3.0, 13.15.1. */
function sata({ space, verbose, print }: Look, at: number, word: number): undefined {
  print(`SATA HBA v${field(word, 4, 4)}.${word & 15}`)
  if (verbose >= 2 && space.load(at + 4, 4)) {
    const where = space.u32(at + 4)
    const bar = where & 15
    if (bar >= 4 && bar <= 9) print(` BAR${bar - 4} Offset=${hex(field(where, 4, 20), 8)}`)
    else print(bar === 15 ? ' InCfgSpace' : ` BAR??${bar}`)
  }
  print('\n')
}

function line(text: string): Decoder {
  return ({ print }) => {
    print(`${text}\n`)
    return undefined
  }
}

const DECODERS: Record<number, Decoder> = {
  0: line('Null'),
  1: powerManagement,
  2: agp,
  3: showVpd,
  4: ({ print }, _at, word) => {
    print(`Slot ID: ${word & 31} slots, First${sign(word & 32)}, chassis ${hex(word >> 8, 2)}\n`)
    return undefined
  },
  5: msi,
  6: line('CompactPCI hot-swap <?>'),
  7: pcix,
  8: showHyperTransport,
  9: showVendorSpecific,
  10: ({ print }, _at, word) => {
    print(`Debug port: BAR=${word >> 13} offset=${hex(word & 0x1fff, 4)}\n`)
    return undefined
  },
  11: line('CompactPCI central resource control <?>'),
  12: line('Hot-plug capable'),
  13: bridgeSubsystem,
  14: line('AGP3 <?>'),
  15: line('Secure device <?>'),
  16: showExpress,
  17: msix,
  18: sata,
  19: advancedFeatures,
  20: showEnhancedAllocation,
}

/** Prints all capabilities of a function, the extended ones after. @param pointer the register that says where the first is */
export function showCapabilities(look: Look, pointer: number): void {
  const { space, print } = look
  if (!(space.u16(6) & 0x10)) return
  let extended = false
  let expressType = -1
  const seen = new Set<number>()
  for (let at = space.u8(pointer) & ~3; at !== 0; ) {
    print('\tCapabilities: ')
    if (!space.load(at, 4)) {
      print('<access denied>\n')
      break
    }
    const id = space.u8(at)
    const next = space.u8(at + 1) & ~3
    const word = space.u16(at + 2)
    print(`[${hex(at, 2)}] `)
    if (seen.has(at) || id === 0xff) {
      print(seen.has(at) ? '<chain looped>\n' : '<chain broken>\n')
      break
    }
    seen.add(at)
    const decoder = DECODERS[id]
    if (decoder) expressType = decoder(look, at, word) ?? expressType
    else print(`Capability ID 0x${hex(id)} [${hex(word, 4)}]\n`)
    // PCI-X 2.0 and PCI Express have 4096 bytes.
    if (id === 0x07 || id === 0x10) extended = true
    at = next
  }
  if (extended) showExtended(look, expressType)
}
