/** The PCI Express capability, register by register. PCI Express Base 5.0, 7.5.3. */
import { field, flags, hex, type Look, sign } from './space.ts'

export const ENDPOINT = 0
export const LEGACY_ENDPOINT = 1
export const ROOT_PORT = 4
export const UPSTREAM = 5
export const DOWNSTREAM = 6
const TO_PCI = 7
const FROM_PCI = 8
export const ROOT_ENDPOINT = 9
export const EVENT_COLLECTOR = 10

const TYPES: Record<number, string> = {
  [ENDPOINT]: 'Endpoint',
  [LEGACY_ENDPOINT]: 'Legacy Endpoint',
  [ROOT_PORT]: 'Root Port',
  [UPSTREAM]: 'Upstream Port',
  [DOWNSTREAM]: 'Downstream Port',
  [TO_PCI]: 'PCI-Express to PCI/PCI-X Bridge',
  [FROM_PCI]: 'PCI/PCI-X to PCI-Express Bridge',
  [ROOT_ENDPOINT]: 'Root Complex Integrated Endpoint',
  [EVENT_COLLECTOR]: 'Root Complex Event Collector',
}

const L0S = ['<64ns', '<128ns', '<256ns', '<512ns', '<1us', '<2us', '<4us', 'unlimited']
const L1 = ['<1us', '<2us', '<4us', '<8us', '<16us', '<32us', '<64us', 'unlimited']
const SPEEDS = ['', '2.5GT/s', '5GT/s', '8GT/s', '16GT/s', '32GT/s', '64GT/s']
const ASPM = ['not supported', 'L0s', 'L1', 'L0s L1']
const ASPM_ON = ['Disabled', 'L0s Enabled', 'L1 Enabled', 'L0s L1 Enabled']
const INDICATORS = ['Unknown', 'On', 'Blink', 'Off']

/** A slot's power: a value and how often to divide it by ten; above 239 there are steps of 25 W. */
function power(value: number, scale: number): string {
  if (scale === 0 && value === 0xff) return '>600W'
  const watts = scale === 0 && value >= 0xf0 ? 250 + 25 * (value - 0xf0) : value
  return `${Number((watts * Math.fround(10 ** -scale)).toPrecision(6))}W`
}

function payload(value: number, at: number): string {
  return `${128 << field(value, at, 3)} bytes`
}

function device({ space, print }: Look, at: number, type: number): void {
  const endpoint = type === ENDPOINT || type === LEGACY_ENDPOINT
  const can = space.u32(at + 4)
  print(`\t\tDevCap:\tMaxPayload ${payload(can, 0)}, PhantFunc ${(1 << field(can, 3, 2)) - 1}`)
  if (endpoint) print(`, Latency L0s ${L0S[field(can, 6, 3)]}, L1 ${L1[field(can, 9, 3)]}`)
  print(`\n\t\t\t${flags(can, 'ExtTag 5')}`)
  if (endpoint || type === UPSTREAM || type === TO_PCI) print(` ${flags(can, 'AttnBtn 12 AttnInd 13 PwrInd 14')}`)
  print(` ${flags(can, 'RBE 15')}`)
  if (endpoint || type === ROOT_ENDPOINT) print(` ${flags(can, 'FLReset 28')}`)
  if (type === ENDPOINT || type === UPSTREAM || type === TO_PCI) {
    print(` SlotPowerLimit ${power(field(can, 18, 8), field(can, 26, 2))}`)
  }
  const control = space.u16(at + 8)
  print(`\n\t\tDevCtl:\t${flags(control, 'CorrErr 0 NonFatalErr 1 FatalErr 2 UnsupReq 3')}\n`)
  print(`\t\t\t${flags(control, 'RlxdOrd 4 ExtTag 8 PhantFunc 9 AuxPwr 10 NoSnoop 11')}`)
  // Bit 15 means another thing for each.
  if (type === TO_PCI) print(` ${flags(control, 'BrConfRtry 15')}`)
  if ((endpoint || type === ROOT_ENDPOINT) && field(can, 28, 1)) print(` ${flags(control, 'FLReset 15')}`)
  print(`\n\t\t\tMaxPayload ${payload(control, 5)}, MaxReadReq ${payload(control, 12)}\n`)
  const names = 'CorrErr 0 NonFatalErr 1 FatalErr 2 UnsupReq 3 AuxPwr 4 TransPend 5'
  print(`\t\tDevSta:\t${flags(space.u16(at + 10), names)}\n`)
}

/** How a link's state compares with what it could be; a downstream port isn't to blame for what is below it. */
function compared(type: number, is: number, could: number): string {
  if (is > could) return ' (overdriven)'
  return is === could || isDownstream(type) ? '' : ' (downgraded)'
}

function isDownstream(type: number): boolean {
  return type === ROOT_PORT || type === DOWNSTREAM || type === FROM_PCI
}

function link({ space, print }: Look, at: number, type: number): void {
  const speed = (value: number) => SPEEDS[value] || 'unknown'
  const can = space.u32(at + 12)
  const aspm = field(can, 10, 2)
  const width = field(can, 4, 6)
  print(`\t\tLnkCap:\tPort #${can >>> 24}, Speed ${speed(can & 15)}, Width x${width}, ASPM ${ASPM[aspm]}`)
  const exits = []
  if (aspm & 1) exits.push(`L0s ${L0S[field(can, 12, 3)]}`)
  if (aspm & 2) exits.push(`L1 ${L1[field(can, 15, 3)]}`)
  if (aspm) print(`, Exit Latency ${exits.join(', ')}`)
  print(`\n\t\t\t${flags(can, 'ClockPM 18 Surprise 19 LLActRep 20 BwNot 21 ASPMOptComp 22')}\n`)
  const control = space.u16(at + 16)
  print(`\t\tLnkCtl:\tASPM ${ASPM_ON[control & 3]};`)
  if (type === ROOT_PORT || type === ENDPOINT || type === LEGACY_ENDPOINT || type === TO_PCI) {
    print(` RCB ${control & 8 ? 128 : 64} bytes,`)
  }
  print(` ${flags(control, 'Disabled 4 CommClk 6')}\n`)
  print(`\t\t\t${flags(control, 'ExtSynch 7 ClockPM 8 AutWidDis 9 BWInt 10 AutBWInt 11')}\n`)
  const is = space.u16(at + 18)
  const isWidth = field(is, 4, 6)
  print(`\t\tLnkSta:\tSpeed ${speed(is & 15)}${compared(type, is & 15, can & 15)}`)
  print(`, Width x${isWidth}${compared(type, isWidth, width)}\n`)
  print(`\t\t\t${flags(is, 'TrErr 10 Train 11 SlotClk 12 DLActive 13 BWMgmt 14 ABWMgmt 15')}\n`)
}

function slot({ space, print }: Look, at: number): void {
  const can = space.u32(at + 20)
  print(`\t\tSltCap:\t${flags(can, 'AttnBtn 0 PwrCtrl 1 MRL 2 AttnInd 3 PwrInd 4 HotPlug 6 Surprise 5')}\n`)
  print(`\t\t\tSlot #${can >>> 19}, PowerLimit ${power(field(can, 7, 8), field(can, 15, 2))}; `)
  print(`${flags(can, 'Interlock 17 NoCompl 18')}\n`)
  const control = space.u16(at + 24)
  const enables = 'AttnBtn 0 PwrFlt 1 MRL 2 PresDet 3 CmdCplt 4 HPIrq 5 LinkChg 12'
  print(`\t\tSltCtl:\tEnable: ${flags(control, enables)}\n`)
  print(`\t\t\tControl: AttnInd ${INDICATORS[field(control, 6, 2)]}, PwrInd ${INDICATORS[field(control, 8, 2)]}, `)
  print(`${flags(control, 'Power 10 Interlock 11')}\n`)
  const status = space.u16(at + 26)
  print(`\t\tSltSta:\tStatus: ${flags(status, 'AttnBtn 0 PowerFlt 1 MRL 5 CmdCplt 4 PresDet 6 Interlock 7')}\n`)
  print(`\t\t\tChanged: ${flags(status, 'MRL 2 PresDet 3 LinkState 8')}\n`)
}

function root({ space, print }: Look, at: number): void {
  print(`\t\tRootCap: ${flags(space.u16(at + 30), 'CRSVisible 0')}\n`)
  const names = 'ErrCorrectable 0 ErrNon-Fatal 1 ErrFatal 2 PMEIntEna 3 CRSVisible 4'
  print(`\t\tRootCtl: ${flags(space.u16(at + 28), names)}\n`)
  const status = space.u32(at + 32)
  print(`\t\tRootSta: PME ReqID ${hex(status & 0xffff, 4)}, ${flags(status, 'PMEStatus 16 PMEPending 17')}\n`)
}

const TIMEOUT_RANGES: Record<number, string> = {
  0: 'Not Supported',
  1: 'Range A',
  2: 'Range B',
  3: 'Range AB',
  6: 'Range BC',
  7: 'Range ABC',
  14: 'Range BCD',
  15: 'Range ABCD',
}
const TIMEOUTS: Record<number, string> = {
  0: '50us to 50ms',
  1: '50us to 100us',
  2: '1ms to 10ms',
  5: '16ms to 55ms',
  6: '65ms to 210ms',
  9: '260ms to 900ms',
  10: '1s to 3.5s',
  13: '4s to 13s',
  14: '17s to 64s',
}
const OBFF = ['Not Supported', 'Via message', 'Via WAKE#', 'Via message/WAKE#']
const OBFF_ON = ['Disabled', 'Via message A', 'Via message B', 'Via WAKE#']
const POWER_REDUCTION = ['Not Supported', 'Dev Specific', 'Form Factor Dev Specific', 'Reserved']
const LINES = ['Not Supported', '64byte cachelines', '128byte cachelines', 'Reserved']
const HINTS = ['TPHComp- ExtTPHComp-', 'TPHComp+ ExtTPHComp-', '', 'TPHComp+ ExtTPHComp+']

/** Whether a function has a base address register for memory; without a system to ask, one that has an address. */
function hasMemory({ space }: Look): boolean {
  const { os } = space.of
  if (os) return os.regions.slice(0, 6).some(({ base, size }) => (base !== 0n || size !== 0n) && !(base & 1n))
  const count = [6, 2, 1][space.headerType] ?? 0
  for (let i = 0; i < count; i++) {
    const bar = space.u32(0x10 + 4 * i)
    if (bar === 0 || bar === 0xffff_ffff) continue
    if (bar & 1) continue
    if ((bar & 6) !== 4) return true
    if (i < count - 1) return true
  }
  return false
}

function device2(look: Look, at: number, type: number): void {
  const { space, print } = look
  const port = type === ROOT_PORT || type === UPSTREAM || type === DOWNSTREAM
  const forwards = type === ROOT_PORT || type === DOWNSTREAM
  const memory = hasMemory(look)
  const can = space.u32(at + 36)
  print(`\t\tDevCap2: Completion Timeout: ${TIMEOUT_RANGES[can & 15] ?? 'Unknown'}, `)
  print(`${flags(can, 'TimeoutDis 4 NROPrPrP 10 LTR 11')}\n`)
  print(`\t\t\t ${flags(can, '10BitTagComp 16 10BitTagReq 17')} OBFF ${OBFF[field(can, 18, 2)]}, `)
  print(flags(can, 'ExtFmt 20 EETLPPrefix 21'))
  if (field(can, 21, 1)) print(`, MaxEETLPPrefixes ${field(can, 22, 2) || 4}`)
  print(`\n\t\t\t EmergencyPowerReduction ${POWER_REDUCTION[field(can, 24, 2)]}, `)
  print(`${flags(can, 'EmergencyPowerReductionInit 26')}\n\t\t\t ${flags(can, 'FRS 31')}`)
  if (type === ROOT_PORT) print(` LN System CLS ${LINES[field(can, 14, 2)]},`)
  if (type === ROOT_PORT || type === ENDPOINT) print(` ${HINTS[field(can, 12, 2)]}`)
  print(forwards ? ` ${flags(can, 'ARIFwd 5')}\n` : '\n')
  if (port || memory) {
    print('\t\t\t AtomicOpsCap:')
    if (port) print(` ${flags(can, 'Routing 6')}`)
    if (type === ROOT_PORT || memory) print(` ${flags(can, '32bit 7 64bit 8 128bitCAS 9')}`)
    print('\n')
  }
  const control = space.u16(at + 40)
  print(`\t\tDevCtl2: Completion Timeout: ${TIMEOUTS[control & 15] ?? 'Unknown'}, `)
  print(`${flags(control, 'TimeoutDis 4 LTR 10 10BitTagReq 12')} OBFF ${OBFF_ON[field(control, 13, 2)]},`)
  print(forwards ? ` ${flags(control, 'ARIFwd 5')}\n` : '\n')
  const requests = type === ROOT_PORT || type === ENDPOINT || type === ROOT_ENDPOINT || type === LEGACY_ENDPOINT
  if (!port && !requests) return
  print('\t\t\t AtomicOpsCtl:')
  if (requests) print(` ${flags(control, 'ReqEn 6')}`)
  if (port) print(` ${flags(control, 'EgressBlck 7')}`)
  print('\n')
}

const DE_EMPHASIS = ['-6dB', '-3.5dB']
const PRESETS = [
  ['-6', '0'],
  ['-3.5', '0'],
  ['-4.4', '0'],
  ['-2.5', '0'],
  ['0', '0'],
  ['0', '1.9'],
  ['0', '2.5'],
  ['-6.0', '3.5'],
  ['-3.5', '3.5'],
  ['0', '3.5'],
].map(([emphasis, preshoot]) => `${emphasis}dB de-emphasis, ${preshoot}dB preshoot`)
const LOW_MARGIN = '200-400mV(full-swing)/100-200mV(half-swing)'
const MARGINS = [
  'Normal Operating Range',
  '800-1200mV(full-swing)/400-700mV(half-swing)',
  LOW_MARGIN,
  LOW_MARGIN,
  LOW_MARGIN,
  LOW_MARGIN,
]
const CROSSLINKS = ['unsupported', 'Upstream Port', 'Downstream Port', 'incomplete']
const COMPONENTS: Record<number, string> = {
  0: 'Link Down - Not Determined',
  1: 'Link Down - Not Present',
  2: 'Link Down - Present',
  4: 'Link Up - Present',
  5: 'Link Up - Present and DRS Received',
}

/** A vector of speeds: none between the lowest and the highest may be missing, so the highest says it. */
function speedRange(vector: number): string {
  if (vector & 0x60) return 'RsvdP'
  const highest = 31 - Math.clz32(vector & 31)
  if (highest < 0) return 'Unknown'
  return highest === 0 ? '2.5GT/s' : `2.5-${SPEEDS[highest + 1]}`
}

function link2({ space, print }: Look, at: number, type: number): void {
  const { device: number, func } = space.of
  let can = 0
  // A device that isn't the first behind its link has no say in it.
  if (!((type === ENDPOINT || type === LEGACY_ENDPOINT) && (number !== 0 || func !== 0))) {
    can = space.u32(at + 44)
    if (can !== 0) {
      print(`\t\tLnkCap2: Supported Link Speeds: ${speedRange(field(can, 1, 7))}, `)
      print(`${flags(can, 'Crosslink 8 Retimer 23 2Retimers 24 DRS 31')}\n`)
    }
    const control = space.u16(at + 48)
    print(`\t\tLnkCtl2: Target Link Speed: ${SPEEDS[control & 15 || 1] ?? 'Unknown'}, `)
    print(flags(control, 'EnterCompliance 4 SpeedDis 5'))
    if (type === DOWNSTREAM) print(`, Selectable De-emphasis: ${DE_EMPHASIS[field(control, 6, 1)]}`)
    print(`\n\t\t\t Transmit Margin: ${MARGINS[field(control, 7, 3)] ?? 'Unknown'}, `)
    print(`${flags(control, 'EnterModifiedCompliance 10 ComplianceSOS 11')}\n`)
    print(`\t\t\t Compliance Preset/De-emphasis: ${PRESETS[field(control, 12, 4)] ?? 'Unknown'}\n`)
  }
  const is = space.u16(at + 50)
  print(`\t\tLnkSta2: Current De-emphasis Level: ${DE_EMPHASIS[is & 1]}, `)
  print(`${flags(is, 'EqualizationComplete 1 EqualizationPhase1 2')}\n`)
  print(`\t\t\t ${flags(is, 'EqualizationPhase2 3 EqualizationPhase3 4 LinkEqualizationRequest 5')}\n`)
  print(`\t\t\t ${flags(is, 'Retimer 6 2Retimers 7')} CrosslinkRes: ${CROSSLINKS[field(is, 8, 2)]}`)
  if (isDownstream(type) && field(can, 31, 1)) {
    print(`, DRS${sign(is & 0x8000)}\n\t\t\t DownstreamComp: ${COMPONENTS[field(is, 12, 3)] ?? 'Reserved'}\n`)
  } else print('\n')
}

/** Prints the capability and gives the function's type, which others depend on. */
export function showExpress(look: Look, at: number, word: number): number {
  const { space, verbose, print } = look
  const type = field(word, 4, 4)
  const version = word & 15
  const name = TYPES[type]
  const ports = isDownstream(type)
  print(`Express ${verbose >= 2 ? `(v${version}) ` : ''}${name ?? `Unknown type ${type}`}`)
  if (ports) print(` (Slot${sign(word & 0x100)})`)
  print(`, MSI ${hex(field(word, 9, 5), 2)}\n`)
  if (verbose < 2) return type
  const hasSlot = ports && (word & 0x100) !== 0
  const hasLink = type !== ROOT_ENDPOINT && type !== EVENT_COLLECTOR
  const hasRoot = type === ROOT_PORT || type === EVENT_COLLECTOR
  if (!space.load(at + 4, hasRoot ? 32 : hasSlot ? 24 : 16)) return type
  device(look, at, type)
  if (hasLink) link(look, at, type)
  if (hasSlot) slot(look, at)
  if (hasRoot) root(look, at)
  if (version < 2 || !space.load(at + 36, hasSlot ? 24 : 16)) return type
  device2(look, at, type)
  if (hasLink) link2(look, at, type)
  return type
}
