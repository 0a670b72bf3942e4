/** Designated vendor-specific capabilities: Compute Express Link's are known. CXL 3.0, 8.1. */
import { field, flags, hex, type Look } from './space.ts'

type Decoder = (look: Look, at: number, revision: number, length: number) => void

const INTERLEAVE = [0, 256, 4096, 512, 1024, 2048, 8192, 16384]
const MEDIA = ['Volatile', 'Non-volatile', 'CDAT']
const CLASSES = ['DRAM', 'Storage', 'CDAT']

function range({ space, print }: Look, at: number, number: number): void {
  const two = (register: number) => (BigInt(space.u32(at + register)) << 32n) | BigInt(space.u32(at + register + 4))
  const size = two(0)
  const base = two(8)
  const word = Number(size & 0xffffn)
  const end = BigInt.asUintN(64, base + (size & ~0xfffffffn) - 1n)
  print(`\t\tRange${number}: ${hex(base, 16)}-${hex(end, 16)}\n`)
  print(
    `\t\t\t${flags(word, 'Valid 0 Active 1')} Type=${MEDIA[field(word, 2, 3)]} Class=${CLASSES[field(word, 5, 3)]} `,
  )
  print(`interleave=${INTERLEAVE[field(word, 8, 5)]} timeout=${1 << (field(word, 13, 3) * 2)}s\n`)
}

const device: Decoder = (look, at, revision, length) => {
  const { space, print } = look
  if (length < 0x38 || revision < 1) return
  const can = space.u16(at + 10)
  print(`\t\tCXLCap:\t${flags(can, 'Cache 0 IO 1 Mem 2')} Mem HW ${flags(can, 'Init 3')} `)
  print(`HDMCount ${field(can, 4, 2)} ${flags(can, 'Viral 14')}\n`)
  const control = space.u16(at + 12)
  print(`\t\tCXLCtl:\t${flags(control, 'Cache 0 IO 1 Mem 2')} Cache SF Cov ${field(control, 3, 5)} `)
  print(`Cache SF Gran ${field(control, 8, 3)} Cache ${flags(control, 'Clean 11 Viral 14')}\n`)
  print(`\t\tCXLSta:\t${flags(space.u16(at + 14), 'Viral 14')}\n`)
  print(`\t\tCXLSta2:\t${flags(space.u16(at + 18), 'ResetComplete 1 ResetError 2 PMComplete 15')}\n`)
  const cache = space.u16(at + 22)
  const unit = cache & 15
  const size = cache >> 8
  if (unit === 0) print('\t\tCache Size Not Reported\n')
  else if (unit <= 2) print(`\t\tCache Size: ${hex(size * (unit === 1 ? 0x10000 : 0x100000), 8)}\n`)
  else print(`\t\tCache Size: ${size} of unknown unit size (${unit})\n`)
  range(look, at + 0x18, 1)
  range(look, at + 0x28, 2)
}

const port: Decoder = ({ space, print }, at, _revision, length) => {
  if (length < 0x28) return
  // The status is masked with its own offset, so two other bits are shown.
  print(`\t\tCXLPortSta:\tPMComplete${space.u16(at + 10) & 0x0a ? '+' : '-'}\n`)
  const names = 'UnmaskSBR 0 UnmaskLinkDisable 1 AltMem 2 AltBME 3 ViralEnable 14'
  print(`\t\tCXLPortCtl:\t${flags(space.u16(at + 12), names)}\n`)
  print(`\t\tAlternateBus:\t${hex(space.u8(at + 14), 2)}-${hex(space.u8(at + 15), 2)}\n`)
  print(`\t\tAlternateBus:\t${hex(space.u16(at + 16), 4)}-${hex(space.u16(at + 18), 4)}\n`)
}

const BLOCKS = ['empty', 'component registers', 'BAR virtualization', 'CXL device registers', 'CPMU registers']

const locator: Decoder = ({ space, print }, at, _revision, length) => {
  for (let i = 0; 12 + 8 * i + 7 < length; i++) {
    const low = space.u32(at + 12 + 8 * i)
    const high = space.u32(at + 16 + 8 * i)
    const id = field(low, 8, 8)
    if (id === 0) continue
    const name = BLOCKS[id] ?? (id === 0xff ? 'vendor-specific' : '<?>')
    const offset = hex(high, 8) + hex((low & 0xffff0000) >>> 0, 8)
    print(`\t\tBlock${i + 1}: BIR: bar${low & 7}, ID: ${name}, offset: ${offset}\n`)
  }
}

/** A time: a value, and a scale of 1, 10 and 100 us, the same in ms, 1 s and 10 s. */
function time({ print }: Look, word: number, title: string): void {
  const scale = field(word, 8, 4)
  const known = scale <= 7
  if (!known) print(`\t\tReserved time scale encoding ${hex(scale)}\n`)
  const value = (word & 15) * (known ? 10 ** (scale % 3) : 1)
  // The unit of ten seconds is one of which lspci isn't sure.
  const unit = scale < 3 ? 'us' : scale < 6 ? 'ms' : scale === 6 ? 's' : '<?>'
  print(`\t\t${title}: ${value}${unit}\n`)
}

const persistentFlushPort: Decoder = (look, at) => {
  time(look, look.space.u16(at + 12), 'GPF Phase 1 Timeout')
  time(look, look.space.u16(at + 14), 'GPF Phase 2 Timeout')
}

const persistentFlushDevice: Decoder = (look, at) => {
  time(look, look.space.u16(at + 10), 'GPF Phase 2 Duration')
  look.print(`\t\tGPF Phase 2 Power: ${look.space.u32(at + 12)}mW\n`)
}

const flexBus: Decoder = ({ space, print }, at, revision) => {
  if (revision < 1) {
    print(`\t\tRevision ${revision} not supported\n`)
    return
  }
  const newer = revision > 1
  const more = (value: number) => (newer ? ` ${flags(value, '256BFlit 13 PBRFlit 14')}` : '')
  const can = space.u16(at + 10)
  const control = space.u16(at + 12)
  const status = space.u16(at + 14)
  const basic = 'Cache 0 IO 1 Mem 2 SynHdrByp 3 DrftBuf 4 68BFlit 5 MltLogDev 6'
  print(`\t\tFBCap:\t${flags(can, 'Cache 0 IO 1 Mem 2 68BFlit 5 MltLogDev 6')}${more(can)}\n`)
  print(`\t\tFBCtl:\t${flags(control, `${basic} RCD 7 Retimer1 8 Retimer2 9`)}${more(control)}\n`)
  print(`\t\tFBSta:\t${flags(status, basic)}${more(status)}\n`)
  print(`\t\tFBModTS:\tReceived FB Data: ${hex(space.u32(at + 16) & 0xffffff, 6)}\n`)
  if (!newer) return
  print(
    `\t\tFBCap2:\t${flags(space.u32(at + 20), 'NOPHint 0')}\n\t\tFBCtl2:\t${flags(space.u32(at + 24), 'NOPHint 0')}\n`,
  )
  print(`\t\tFBSta2:\tNOPHintInfo: ${hex(space.u32(at + 28) & 3)}\n`)
}

const DECODERS: Record<number, Decoder> = {
  0: device,
  2: ({ space, print }, at) => {
    for (let i = 0; i < 8; i++) print(`\t\tFuncMap ${i}: ${hex(space.u16(at + 12 + 4 * i), 8)}\n`)
  },
  3: port,
  4: persistentFlushPort,
  5: persistentFlushDevice,
  7: flexBus,
  8: locator,
  9: ({ space, print }, at) => {
    const count = space.u16(at + 10)
    if (count >= 1 && count <= 16) print(`\t\tNumLogDevs: ${count}\n`)
  },
}

export function showDvsec(look: Look, at: number): void {
  const { space, verbose, print } = look
  print('Designated Vendor-Specific: ')
  if (!space.load(at + 4, 8)) {
    print('<unreadable>\n')
    return
  }
  const header = space.u32(at + 4)
  const vendor = header & 0xffff
  const revision = field(header, 16, 4)
  const length = header >>> 20
  const id = space.u16(at + 8)
  print(`Vendor=${hex(vendor, 4)} ID=${hex(id, 4)} Rev=${revision} Len=${length}`)
  if (vendor !== 0x1e98 || length < 16) {
    print(' <?>\n')
    return
  }
  print(': CXL\n')
  if (verbose < 2 || !space.load(at, length)) return
  const decoder = DECODERS[id]
  if (decoder) decoder(look, at, revision, length)
  else print(`\t\tUnknown ID ${hex(id, 4)}\n`)
}
