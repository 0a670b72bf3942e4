/** Virtual channels, and the links of a root complex. PCI Express Base 5.0, 7.9.1 and 7.9.8. */
import { field, flags, hex, type Look } from './space.ts'

const PORT_SCHEMES = ['Fixed', 'WRR32', 'WRR64', 'WRR128', '??4', '??5', '??6', '??7']
const SCHEMES = ['Fixed', 'WRR32', 'WRR64', 'WRR128', 'TWRR128', 'WRR256', '??6', '??7']

/** Schemes of arbitration with their signs; the reserved ones only where they are claimed. */
function schemes(names: string[], bits: number): string {
  return names
    .map((name, bit) => (name.startsWith('?') && !(bits & (1 << bit)) ? '' : flags(bits, `${name} ${bit}`)))
    .filter((text) => text !== '')
    .join(' ')
}

export function showVirtualChannels({ space, verbose, print }: Look, at: number): void {
  print('Virtual Channel\n')
  if (verbose < 2 || !space.load(at + 4, 0x18)) return
  const can = space.u32(at + 4)
  const more = space.u32(at + 8)
  const clock = field(can, 8, 2)
  print(`\t\tCaps:\tLPEVC=${field(can, 4, 3)} RefClk=${clock === 0 ? '100ns' : `??${clock}`} `)
  print(`PATEntryBits=${1 << field(can, 10, 2)}\n\t\tArb:\t${schemes(PORT_SCHEMES, more)}\n`)
  print(`\t\tCtrl:\tArbSelect=${PORT_SCHEMES[field(space.u16(at + 12), 1, 3)]}\n`)
  print(`\t\tStatus:\t${flags(space.u16(at + 14), 'InProgress 0')}\n`)
  if (more >>> 24) print(`\t\tPort Arbitration Table [${hex(at + 16 * (more >>> 24))}] <?>\n`)
  for (let i = 0; i <= (can & 7); i++) {
    const channel = at + 16 + 12 * i
    print(`\t\tVC${i}:\t`)
    if (!space.load(channel, 12)) {
      print('<unreadable>\n')
      continue
    }
    const own = space.u32(channel)
    const control = space.u32(channel + 4)
    print(
      `Caps:\tPATOffset=${hex(own >>> 24, 2)} MaxTimeSlots=${field(own, 16, 7) + 1} ${flags(own, 'RejSnoopTrans 15')}\n`,
    )
    print(
      `\t\t\tArb:\t${schemes(SCHEMES, own)}\n\t\t\tCtrl:\t${flags(control, 'Enable 31')} ID=${field(control, 24, 3)} `,
    )
    print(`ArbSelect=${SCHEMES[field(control, 17, 3)]} TC/VC=${hex(control & 0xff, 2)}\n`)
    print(`\t\t\tStatus:\t${flags(space.u16(channel + 10), 'NegoPending 1 InProgress 0')}\n`)
    if (own >>> 24) print('\t\t\tPort Arbitration Table <?>\n')
  }
}

const ELEMENTS = ['Config', 'Egress', 'Internal']

export function showLinks({ space, verbose, print }: Look, at: number): void {
  print('Root Complex Link\n')
  if (verbose < 2 || !space.load(at + 4, 12)) return
  const self = space.u32(at + 4)
  const element = self & 0xff
  print(`\t\tDesc:\tPortNumber=${hex(self >>> 24, 2)} ComponentID=${hex(field(self, 16, 8), 2)} `)
  print(`EltType=${ELEMENTS[element] ?? `??${element}`}\n`)
  for (let i = 0; i < field(self, 8, 8); i++) {
    const link = at + 16 + 16 * i
    print(`\t\tLink${i}:\t`)
    if (!space.load(link, 16)) {
      print('<unreadable>\n')
      return
    }
    const text = space.u32(link)
    const low = space.u32(link + 8)
    const address = hex(space.u32(link + 12), 8) + hex(low, 8)
    const toConfig = (text & 2) !== 0
    print(`Desc:\tTargetPort=${hex(text >>> 24, 2)} TargetComponent=${hex(field(text, 16, 8), 2)} `)
    print(`${flags(text, 'AssocRCRB 2')} LinkType=${toConfig ? 'Config' : 'MemMapped'} ${flags(text, 'LinkValid 0')}\n`)
    if (!toConfig) print(`\t\t\tAddr:\t${address}\n`)
    else {
      const bus = hex(field(low, 20, low & 7 || 8), 2)
      const device = hex(field(low, 15, 5), 2)
      print(`\t\t\tAddr:\t${bus}:${device}.${field(low, 12, 3)}  CfgSpace=${address}\n`)
    }
  }
}
