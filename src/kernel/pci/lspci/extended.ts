/** The extended capabilities, from byte 256 on. PCI Express Base 5.0, 7.6 to 7.9. */
import { showDvsec } from './dvsec.ts'
import { DOWNSTREAM, ENDPOINT, EVENT_COLLECTOR, ROOT_ENDPOINT, ROOT_PORT, UPSTREAM } from './express.ts'
import { showContainment, showErrorReporting } from './extended-errors.ts'
import { showLinks, showVirtualChannels } from './extended-links.ts'
import { field, flags, hex, type Look, sign } from './space.ts'

type Decoder = (look: Look, at: number, type: number) => void

/** Most have a name, and behind `-vv` some registers that must be read whole. */
function registers(
  name: string,
  from: number,
  length: number,
  show: (look: Look, at: number, type: number) => void,
): Decoder {
  return (look, at, type) => {
    look.print(`${name}\n`)
    if (look.verbose >= 2 && look.space.load(at + from, length)) show(look, at, type)
  }
}

/** As above; but what can't be read is said to be so. */
function orUnreadable(name: string, from: number, length: number, show: (look: Look, at: number) => void): Decoder {
  return (look, at) => {
    look.print(`${name}\n`)
    if (look.verbose < 2) return
    if (look.space.load(at + from, length)) show(look, at)
    else look.print('\t\t<unreadable>\n')
  }
}

const serialNumber: Decoder = ({ space, print }, at) => {
  if (!space.load(at + 4, 8)) return
  const bytes = [7, 6, 5, 4, 3, 2, 1, 0].map((i) => hex(space.u8(at + 4 + i), 2))
  print(`Device Serial Number ${bytes.join('-')}\n`)
}

const ACS = 'SrcValid 0 TransBlk 1 ReqRedir 2 CmpltRedir 3 UpstreamFwd 4 EgressCtrl 5 DirectTrans 6'

const accessControl = registers('Access Control Services', 4, 4, ({ space, print }, at) => {
  print(`\t\tACSCap:\t${flags(space.u16(at + 4), ACS)}\n\t\tACSCtl:\t${flags(space.u16(at + 6), ACS)}\n`)
})

const routing = registers('Alternative Routing-ID Interpretation (ARI)', 4, 4, ({ space, print }, at) => {
  const can = space.u16(at + 4)
  const control = space.u16(at + 6)
  print(`\t\tARICap:\t${flags(can, 'MFVC 0 ACS 1')}, Next Function: ${can >> 8}\n`)
  print(`\t\tARICtl:\t${flags(control, 'MFVC 0 ACS 1')}, Function Group: ${field(control, 4, 3)}\n`)
})

const translation = registers('Address Translation Service (ATS)', 4, 4, ({ space, print }, at) => {
  const control = space.u16(at + 6)
  print(`\t\tATSCap:\tInvalidate Queue Depth: ${hex(space.u16(at + 4) & 31, 2)}\n`)
  print(`\t\tATSCtl:\t${flags(control, 'Enable 15')}, Smallest Translation Unit: ${hex(control & 31, 2)}\n`)
})

const virtualization = registers('Single Root I/O Virtualization (SR-IOV)', 4, 0x3c, ({ space, print }, at) => {
  const can = space.u32(at + 4)
  print(`\t\tIOVCap:\t${flags(can, 'Migration 0 10BitTagReq 2')} Interrupt Message Number: ${hex(can >>> 21, 3)}\n`)
  const names = 'Enable 0 Migration 1 Interrupt 2 MSE 3 ARIHierarchy 4 10BitTagReq 5'
  print(`\t\tIOVCtl:\t${flags(space.u16(at + 8), names)}\n\t\tIOVSta:\t${flags(space.u16(at + 10), 'Migration 0')}\n`)
  print(
    `\t\tInitial VFs: ${space.u16(at + 12)}, Total VFs: ${space.u16(at + 14)}, Number of VFs: ${space.u16(at + 16)}, `,
  )
  print(`Function Dependency Link: ${hex(space.u8(at + 18), 2)}\n`)
  print(
    `\t\tVF offset: ${space.u16(at + 20)}, stride: ${space.u16(at + 22)}, Device ID: ${hex(space.u16(at + 26), 4)}\n`,
  )
  print(`\t\tSupported Page Size: ${hex(space.u32(at + 28), 8)}, System Page Size: ${hex(space.u32(at + 32), 8)}\n`)
  for (let i = 0; i < 6; i++) {
    const low = space.u32(at + 36 + 4 * i)
    if (low === 0 || low === 0xffff_ffff) continue
    const wide = (low & 6) === 4
    print(`\t\tRegion ${i}: Memory at `)
    if (wide) print(hex(space.u32(at + 36 + 4 * ++i), 8))
    print(`${hex(low - (low & 15), 8)} (${(low & 6) === 0 ? '32' : '64'}-bit, ${low & 8 ? '' : 'non-'}prefetchable)\n`)
  }
  const migration = space.u32(at + 60)
  print(`\t\tVF Migration: offset: ${hex(migration - (migration & 7), 8)}, BIR: ${hex(migration & 7)}\n`)
})

const multicast = registers('Multicast', 4, 0x30, ({ space, print }, at, type) => {
  const can = space.u16(at + 4)
  const control = space.u16(at + 6)
  const endpoint = type === ENDPOINT || type === ROOT_ENDPOINT
  const size = field(can, 8, 6)
  print(`\t\tMcastCap: MaxGroups ${(can & 63) + 1}`)
  if (endpoint) print(`, WindowSz ${size} (${1 << size} bytes)`)
  // Only a port ends the line.
  if (type === ROOT_PORT || type === UPSTREAM || type === DOWNSTREAM) print(`, ${flags(can, 'ECRCRegen 15')}\n`)
  print(`\t\tMcastCtl: NumGroups ${(control & 63) + 1}, ${flags(control, 'Enable 15')}\n`)
  const base = space.u64(at + 8)
  print(`\t\tMcastBAR: IndexPos ${base & 63n}, BaseAddr ${hex(base & ~0xfffn, 16)}\n`)
  print(`\t\tMcastReceiveVec:      ${hex(space.u64(at + 16), 16)}\n`)
  print(`\t\tMcastBlockAllVec:     ${hex(space.u64(at + 24), 16)}\n`)
  print(`\t\tMcastBlockUntransVec: ${hex(space.u64(at + 32), 16)}\n`)
  if (endpoint) return
  const overlay = space.u64(at + 40)
  const bits = Number(overlay & 63n)
  print(`\t\tMcastOverlayBAR: OverlaySize ${bits} (${bits >= 6 ? `${1 << bits} bytes` : 'disabled'}), `)
  print(`BaseAddr ${hex(overlay & ~63n, 16)}\n`)
})

const pageRequests = registers('Page Request Interface (PRI)', 4, 12, ({ space, print }, at) => {
  print(`\t\tPRICtl: ${flags(space.u16(at + 4), 'Enable 0 Reset 1')}\n`)
  print(`\t\tPRISta: ${flags(space.u16(at + 6), 'RF 0 UPRGI 1 Stopped 8')}\n`)
  print(
    `\t\tPage Request Capacity: ${hex(space.u32(at + 8), 8)}, Page Request Allocation: ${hex(space.u32(at + 12), 8)}\n`,
  )
})

const addressSpaces = registers('Process Address Space ID (PASID)', 4, 4, ({ space, print }, at) => {
  const can = space.u16(at + 4)
  print(`\t\tPASIDCap: ${flags(can, 'Exec 1 Priv 2')}, Max PASID Width: ${hex(field(can, 8, 5), 2)}\n`)
  print(`\t\tPASIDCtl: ${flags(space.u16(at + 6), 'Enable 0 Exec 1 Priv 2')}\n`)
})

const hints = registers('Transaction Processing Hints', 4, 4, ({ space, print }, at) => {
  const can = space.u32(at + 4)
  if (can & 2) print('\t\tInterrupt vector mode supported\n')
  if (can & 4) print('\t\tDevice specific mode supported\n')
  if (can & 0x100) print('\t\tExtended requester support\n')
  const tables = [
    'No steering table available',
    'Steering table in TPH capability structure',
    'Steering table in MSI-X table',
    'Reserved steering table location',
  ]
  print(`\t\t${tables[field(can, 9, 2)]}\n`)
})

/** A latency's scale is a power of 32; the highest two don't fit in 32 bits, as C has them. */
function scaled(value: number, scale: number): bigint {
  return BigInt(value) * BigInt((1 << (scale * 5)) >>> 0)
}

const latencyTolerance = registers('Latency Tolerance Reporting', 4, 4, ({ space, print }, at) => {
  for (const [i, name] of ['snoop', 'no snoop'].entries()) {
    const value = space.u16(at + 4 + 2 * i)
    print(`\t\tMax ${name} latency: ${scaled(value & 0x3ff, field(value, 10, 3))}ns\n`)
  }
})

const secondaryExpress = registers('Secondary PCI Express', 4, 12, ({ space, print }, at) => {
  print(`\t\tLnkCtl3: ${flags(space.u16(at + 4), 'LnkEquIntrruptEn 1 PerformEqu 0')}\n`)
  const errors = space.u16(at + 8)
  const lanes = Array.from({ length: 16 }, (_, lane) => lane).filter((lane) => errors & (1 << lane))
  print(`\t\tLaneErrStat: ${lanes.length > 0 ? `LaneErr at lane: ${lanes.join(' ')}` : '0'}\n`)
})

const POWER_ON_US = [2, 10, 100]

const substates = orUnreadable('L1 PM Substates', 4, 12, ({ space, print }, at) => {
  const can = space.u32(at + 4)
  const control = space.u32(at + 8)
  const names = 'PCI-PM_L1.2 0 PCI-PM_L1.1 1 ASPM_L1.2 2 ASPM_L1.1 3'
  const deep = (can & 5) !== 0
  const powerOn = (unit: number, value: number) => {
    const us = POWER_ON_US[unit]
    return us === undefined ? '<error>' : `${us * value}us`
  }
  print(`\t\tL1SubCap: ${flags(can, `${names} L1_PM_Substates 4`)}\n`)
  if (deep) {
    print(`\t\t\t  PortCommonModeRestoreTime=${field(can, 8, 8)}us `)
    print(`PortTPowerOnTime=${powerOn(field(can, 16, 2), field(can, 19, 5))}\n`)
  }
  print(`\t\tL1SubCtl1: ${flags(control, names)}\n`)
  if (deep) {
    print(`\t\t\t   T_CommonMode=${field(control, 8, 8)}us`)
    if (can & 4) {
      const scale = control >>> 29
      print(` LTR1.2_Threshold=${scale > 5 ? '<error>' : `${scaled(field(control, 16, 10), scale)}ns`}`)
    }
    print('\n')
  }
  const timing = space.u32(at + 12)
  print(`\t\tL1SubCtl2:${deep ? ` T_PwrOn=${powerOn(timing & 3, field(timing, 3, 5))}` : ''}\n`)
})

function granularity(value: number, none: string): string {
  if (value === 0) return none
  return value === 255 ? 'Greater than 254ns' : `${value}ns`
}

const timeMeasurement = orUnreadable('Precision Time Measurement', 4, 8, ({ space, print }, at) => {
  const can = space.u32(at + 4)
  const control = space.u32(at + 8)
  print(`\t\tPTMCap: ${flags(can, 'Requester: 0 Responder: 1 Root: 2')}\n`)
  print(`\t\tPTMClockGranularity: ${granularity(field(can, 8, 8), 'Unimplemented')}\n`)
  print(`\t\tPTMControl: ${flags(control, 'Enabled: 0 RootSelected: 1')}\n`)
  print(`\t\tPTMEffectiveGranularity: ${granularity(field(control, 8, 8), 'Unknown')}\n`)
})

/** Sizes are powers of two of a megabyte. */
function barSize(power: number): string {
  return power < 44 ? ` ${1 << (power % 10)}${['MB', 'GB', 'TB', 'PB', 'EB'][Math.floor(power / 10)]}` : ' <unknown>'
}

function resizable(name: string): Decoder {
  return ({ space, verbose, print }, at) => {
    print(`${name} Resizable BAR\n`)
    if (verbose < 2) return
    for (let i = 0, count = 1; i < count; i++) {
      const entry = at + 4 + 8 * i
      if (!space.load(entry, 8)) {
        print('\t\t<unreadable>\n')
        return
      }
      const control = space.u32(entry + 4)
      const low = space.u32(entry) >>> 4
      const high = control >>> 16
      if (i === 0) {
        count = field(control, 5, 3)
        if (count < 1 || count > 6) {
          print(`\t\t<error in resizable BAR: num_bars=${count} is out of specification>\n`)
          return
        }
      }
      print(`\t\tBAR ${control & 7}: current size:${barSize(field(control, 8, 6))}`)
      if (low || high) {
        print(', supported:')
        for (let bit = 0; bit < 28; bit++) if (field(low, bit, 1)) print(barSize(bit))
        for (let bit = 0; bit < 16; bit++) if (field(high, bit, 1)) print(barSize(28 + bit))
      }
      print('\n')
    }
  }
}

const dataObjects = orUnreadable('Data Object Exchange', 4, 0x14, ({ space, print }, at) => {
  const can = space.u32(at + 4)
  const status = space.u32(at + 12)
  print(`\t\tDOECap: ${flags(can, 'IntSup 0')}\n`)
  if (can & 1) print(`\t\t\tInterrupt Message Number ${hex(field(can, 1, 11), 3)}\n`)
  print(`\t\tDOECtl: ${flags(space.u32(at + 8), 'IntEn 1')}\n`)
  // This version takes a busy mailbox, and one with an interrupt, for an error too.
  print(`\t\tDOESta: ${flags(status, 'Busy 0 IntSta 1')} Error${sign(status & 3)} ${flags(status, 'ObjectReady 31')}\n`)
})

const eventCollector: Decoder = ({ space, verbose, print }, at) => {
  print('Root Complex Event Collector Endpoint Association\n')
  if (verbose < 2 || !space.load(at, 12)) return
  const map = space.u32(at + 4)
  let text = verbose > 2 ? '00000000 [none]' : '[none]'
  if (map !== 0) {
    // Neighbours are shown as one, unless they reach to the last.
    text = 'RCiEP at Device(s):'
    let run = 0
    for (let device = 0; device < 32; device++) {
      if (field(map, device, 1)) {
        if (run++ === 0) text += `${text.endsWith(':') ? '' : ','} ${device}`
      } else {
        if (run > 1) text += `-${device - 1}`
        run = 0
      }
    }
  }
  print(`\t\tRCiEPBitmap: ${text}\n`)
  if (field(space.u32(at), 16, 4) < 2) return
  const buses = space.u32(at + 8)
  const next = field(buses, 8, 8)
  const last = field(buses, 16, 8)
  const none = last === 0 && next === 0xff
  const range = `${hex(next, 2)}-${hex(last, 2)}`
  print(`\t\tAssociatedBusNumbers: ${none ? (verbose > 2 ? `${range} [none]` : '[none]') : range}\n`)
}

const vendorSpecific: Decoder = ({ space, print }, at) => {
  print('Vendor Specific Information: ')
  if (!space.load(at + 4, 4)) {
    print('<unreadable>\n')
    return
  }
  const header = space.u32(at + 4)
  print(`ID=${hex(header & 0xffff, 4)} Rev=${field(header, 16, 4)} Len=${hex(header >>> 20, 3)} <?>\n`)
}

const DECODERS: Record<number, Decoder | string> = {
  0: 'Null',
  1: registers('Advanced Error Reporting', 4, 40, (look, at, type) => {
    showErrorReporting(look, at, type === ROOT_PORT || type === EVENT_COLLECTOR)
  }),
  2: showVirtualChannels,
  3: serialNumber,
  4: 'Power Budgeting <?>',
  5: showLinks,
  6: 'Root Complex Internal Link <?>',
  7: eventCollector,
  8: 'Multi-Function Virtual Channel <?>',
  9: showVirtualChannels,
  10: 'Root Complex Register Block <?>',
  11: vendorSpecific,
  13: accessControl,
  14: routing,
  15: translation,
  16: virtualization,
  17: 'Multi-Root I/O Virtualization <?>',
  18: multicast,
  19: pageRequests,
  21: resizable('Physical'),
  22: 'Dynamic Power Allocation <?>',
  23: hints,
  24: latencyTolerance,
  25: secondaryExpress,
  26: 'Protocol Multiplexing <?>',
  27: addressSpaces,
  28: 'LN Requester <?>',
  29: registers('Downstream Port Containment', 4, 8, showContainment),
  30: substates,
  31: timeMeasurement,
  32: 'PCI Express over M_PHY <?>',
  33: 'FRS Queueing <?>',
  34: 'Readiness Time Reporting <?>',
  35: showDvsec,
  36: resizable('Virtual'),
  37: 'Data Link Feature <?>',
  38: 'Physical Layer 16.0 GT/s <?>',
  39: 'Lane Margining at the Receiver <?>',
  40: 'Hierarchy ID <?>',
  41: 'Native PCIe Enclosure Management <?>',
  46: dataObjects,
}

/** Prints the extended capabilities. @param type what kind of Express function it is, -1 if none */
export function showExtended(look: Look, type: number): void {
  const { space, verbose, print } = look
  const seen = new Set<number>()
  let at = 0x100
  do {
    if (!space.load(at, 4)) return
    const header = space.u32(at)
    if (header === 0 || header === 0xffff_ffff) return
    print(`\tCapabilities: [${hex(at, 3)}${verbose > 1 ? ` v${field(header, 16, 4)}` : ''}] `)
    if (seen.has(at)) {
      print('<chain looped>\n')
      return
    }
    seen.add(at)
    const id = header & 0xffff
    const decoder = DECODERS[id]
    if (typeof decoder === 'function') decoder(look, at, type)
    else print(`${decoder ?? `Extended Capability ID 0x${hex(id)}`}\n`)
    at = (header >>> 20) & ~3
  } while (at !== 0)
}
