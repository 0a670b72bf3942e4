/** Advanced error reporting, and the containment of a port below which something failed. PCI Express Base 5.0, 7.8.4 and 7.9.15. */
import { field, flags, hex, type Look } from './space.ts'

const UNCORRECTABLE =
  'DLP 4 SDES 5 TLP 12 FCP 13 CmpltTO 14 CmpltAbrt 15 UnxCmplt 16 RxOF 17 MalfTLP 18 ECRC 19 UnsupReq 20 ACSViol 21'
const CORRECTABLE = 'RxErr 0 BadTLP 6 BadDLLP 7 Rollover 8 Timeout 12 AdvNonFatalErr 13'

export function showErrorReporting({ space, print }: Look, at: number, root: boolean): void {
  print(`\t\tUESta:\t${flags(space.u32(at + 4), UNCORRECTABLE)}\n`)
  print(`\t\tUEMsk:\t${flags(space.u32(at + 8), UNCORRECTABLE)}\n`)
  print(`\t\tUESvrt:\t${flags(space.u32(at + 12), UNCORRECTABLE)}\n`)
  print(`\t\tCESta:\t${flags(space.u32(at + 16), CORRECTABLE)}\n`)
  print(`\t\tCEMsk:\t${flags(space.u32(at + 20), CORRECTABLE)}\n`)
  const can = space.u32(at + 24)
  print(`\t\tAERCap:\tFirst Error Pointer: ${hex(can & 31, 2)}, `)
  print(`${flags(can, 'ECRCGenCap 5 ECRCGenEn 6 ECRCChkCap 7 ECRCChkEn 8')}\n`)
  print(`\t\t\t${flags(can, 'MultHdrRecCap 9 MultHdrRecEn 10 TLPPfxPres 11 HdrLogCap 12')}\n`)
  const log = [28, 32, 36, 40].map((register) => hex(space.u32(at + register), 8))
  print(`\t\tHeaderLog: ${log.join(' ')}\n`)
  if (!root || !space.load(at + 44, 12)) return
  const status = space.u32(at + 48)
  print(`\t\tRootCmd: ${flags(space.u32(at + 44), 'CERptEn 0 NFERptEn 1 FERptEn 2')}\n`)
  print(`\t\tRootSta: ${flags(status, 'CERcvd 0 MultCERcvd 1 UERcvd 2 MultUERcvd 3')}\n`)
  print(`\t\t\t ${flags(status, 'FirstFatal 4 NonFatalMsg 5 FatalMsg 6')} IntMsg ${status >>> 27}\n`)
  print(`\t\tErrorSrc: ERR_COR: ${hex(space.u16(at + 52), 4)} ERR_FATAL/NONFATAL: ${hex(space.u16(at + 54), 4)}\n`)
}

export function showContainment({ space, print }: Look, at: number): void {
  const can = space.u16(at + 4)
  print(`\t\tDpcCap:\tINT Msg #${can & 31}, ${flags(can, 'RPExt 5 PoisonedTLP 6 SwTrigger 7')} `)
  print(`RP PIO Log ${field(can, 8, 4)}, ${flags(can, 'DL_ActiveErr 12')}\n`)
  const control = space.u16(at + 6)
  print(`\t\tDpcCtl:\tTrigger:${hex(control & 3)} `)
  print(`${flags(control, 'Cmpl 2 INT 3 ErrCor 4 PoisonedTLP 5 SwTrigger 6 DL_ActiveErr 7')}\n`)
  const status = space.u16(at + 8)
  print(
    `\t\tDpcSta:\t${flags(status, 'Trigger 0')} Reason:${hex(field(status, 1, 2), 2)} ${flags(status, 'INT 3 RPBusy 4')} `,
  )
  print(`TriggerExt:${hex(field(status, 5, 2), 2)} RP PIO ErrPtr:${hex(field(status, 8, 5), 2)}\n`)
  print(`\t\tSource:\t${hex(space.u16(at + 10), 4)}\n`)
}
