/** HyperTransport capabilities: the two kinds of link interfaces in full, of the others their names. HyperTransport 2.00, 7. */
import { field, flags, hex, type Look, sign } from './space.ts'

const WIDTHS = ['8bit', '16bit', '[2]', '32bit', '2bit', '4bit', '[6]', 'N/C']
const FREQUENCIES = [
  '200MHz',
  '300MHz',
  '400MHz',
  '500MHz',
  '600MHz',
  '800MHz',
  '1.0GHz',
  '1.2GHz',
  '1.4GHz',
  '1.6GHz',
  '[a]',
  '[b]',
  '[c]',
  '[d]',
  '[e]',
  'Vend',
]
/** By the upper five bits of the command word; what isn't here is a number. */
const OTHERS: Record<number, string> = {
  8: 'Switch',
  16: 'Interrupt Discovery and Configuration',
  18: 'UnitID Clumping',
  19: 'Extended Configuration Space Access',
  20: 'Address Mapping',
  22: 'DirectRoute',
  23: 'VCSet',
  24: 'Retry Mode',
  25: 'X86 (reserved)',
}
const ERRORS =
  'PFlE 0 OFlE 1 PFE 2 OFE 3 EOCFE 4 RFE 5 CRCFE 6 SERRFE 7 CF 8 RE 9 PNFE 10 ONFE 11 EOCNFE 12 RNFE 13 CRCNFE 14 SERRNFE 15'

/** From this revision on (1.02) there are more fields. */
const NEWER = 0x22

function control(value: number, newer: boolean): string {
  const basic = `${flags(value, 'CFlE 1 CST 2 CFE 3 <LkFail 4 Init 5 EOC 6 TXO 7')} <CRCErr=${hex(field(value, 8, 4))}`
  return newer ? `${basic} ${flags(value, 'IsocEn 12 LSEn 13 ExtCTL 14 64b 15')}` : basic
}

function widths(value: number, newer: boolean): string {
  const part = (name: string, at: number, doubled: string) =>
    `${name}=${WIDTHS[field(value, at, 3)]}${newer ? ` ${doubled}${sign(field(value, at + 3, 1))}` : ''}`
  return [
    part('MLWI', 0, 'DwFcIn'),
    part('MLWO', 4, 'DwFcOut'),
    part('LWI', 8, 'DwFcInEn'),
    part('LWO', 12, 'DwFcOutEn'),
  ].join(' ')
}

/** A link's speed, its errors and what speeds it could have. */
function speeds({ space, print }: Look, which: string, at: number, bits: number): void {
  const now = space.u8(at)
  print(`\t\tLink Frequency${which}: ${FREQUENCIES[now & 15]}\n`)
  print(`\t\tLink Error${which}: ${flags(now, '<Prot 4 <Ovfl 5 <EOC 6 CTLTm 7')}\n`)
  const names = FREQUENCIES.slice(0, 10).map((name, bit) => `${name} ${bit}`)
  const can = bits % (1 << 8) // lspci reads one byte of the two.
  print(`\t\tLink Frequency Capability${which}: ${flags(can, `${names.join(' ')} Vend 15`)}\n`)
}

function primary(look: Look, at: number, word: number): void {
  const { space, verbose, print } = look
  print('HyperTransport: Slave or Primary Interface\n')
  if (verbose < 2 || !space.load(at + 4, 24)) return
  const revision = space.u8(at + 12)
  const newer = revision >= NEWER
  if (!newer && revision > 0x11) print('\t\t!!! Possibly incomplete decoding\n')
  print(`\t\tCommand: BaseUnitID=${word & 31} UnitCnt=${field(word, 5, 5)} ${flags(word, 'MastHost 10 DefDir 11')}`)
  print(newer ? ` ${flags(word, 'DUL 12')}\n` : '\n')
  for (const [which, base] of [
    [0, 4],
    [1, 8],
  ] as const) {
    print(`\t\tLink Control ${which}: ${control(space.u16(at + base), newer)}\n`)
    print(`\t\tLink Config ${which}: ${widths(space.u16(at + base + 2), newer)}\n`)
  }
  print(`\t\tRevision ID: ${revision >> 5}.${String(revision & 31).padStart(2, '0')}\n`)
  if (!newer) return
  speeds(look, ' 0', at + 13, space.u8(at + 14))
  print(`\t\tFeature Capability: ${flags(space.u8(at + 16), 'IsocFC 0 LDTSTOP 1 CRCTM 2 ECTLT 3 64bA 4 UIDRD 5')}\n`)
  speeds(look, ' 1', at + 17, space.u8(at + 18))
  print(`\t\tError Handling: ${flags(space.u16(at + 22), ERRORS)}\n`)
  print(`\t\tPrefetchable memory behind bridge Upper: ${hex(space.u8(at + 24), 2)}-${hex(space.u8(at + 25), 2)}\n`)
  print(`\t\tBus Number: ${hex(space.u8(at + 26), 2)}\n`)
}

function secondary(look: Look, at: number, word: number): void {
  const { space, verbose, print } = look
  print('HyperTransport: Host or Secondary Interface\n')
  if (verbose < 2 || !space.load(at + 4, 20)) return
  const revision = space.u8(at + 8)
  const newer = revision >= NEWER
  if (!newer && revision > 0x11) print('\t\t!!! Possibly incomplete decoding\n')
  print(`\t\tCommand: ${flags(word, 'WarmRst 0 DblEnd 1')}`)
  if (newer) {
    print(` DevNum=${field(word, 2, 5)} ${flags(word, 'ChainSide 7 HostHide 8 Slave 10 <EOCErr 11 DUL 12')}`)
  }
  print(`\n\t\tLink Control: ${control(space.u16(at + 4), newer)}\n`)
  print(`\t\tLink Config: ${widths(space.u16(at + 6), newer)}\n`)
  print(`\t\tRevision ID: ${revision >> 5}.${String(revision & 31).padStart(2, '0')}\n`)
  if (!newer) return
  speeds(look, '', at + 9, space.u8(at + 10))
  const features = space.u16(at + 12)
  const names = 'IsocFC 0 LDTSTOP 1 CRCTM 2 ECTLT 3 64bA 4 UIDRD 5 ExtRS 8 UCnfE 9'
  print(`\t\tFeature Capability: ${flags(features, names)}\n`)
  if (!(features & 0x100)) return
  print(`\t\tError Handling: ${flags(space.u16(at + 18), ERRORS)}\n`)
  print(`\t\tPrefetchable memory behind bridge Upper: ${hex(space.u8(at + 20), 2)}-${hex(space.u8(at + 21), 2)}\n`)
}

export function showHyperTransport(look: Look, at: number, word: number): undefined {
  const { space, verbose, print } = look
  const kind = word >> 11
  if (kind < 8) {
    ;(kind < 4 ? primary : secondary)(look, at, word)
    return
  }
  if (kind === 17) print(`HyperTransport: Revision ID: ${field(word, 5, 3)}.${String(word & 31).padStart(2, '0')}\n`)
  else if (kind === 21) {
    print(`HyperTransport: MSI Mapping ${flags(word, 'Enable 0 Fixed 1')}\n`)
    if (verbose < 2 || word & 2 || !space.load(at + 4, 8)) return
    const low = space.u32(at + 4)
    print(`\t\tMapping Address Base: ${hex(space.u32(at + 8), 8)}${hex(low - (low & 0xfffff), 8)}\n`)
  } else print(`HyperTransport: ${OTHERS[kind] ?? `#${hex(kind, 2)}`}\n`)
}
