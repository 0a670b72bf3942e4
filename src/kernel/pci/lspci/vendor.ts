/** The vendor-specific capability: virtio's is known. Virtual I/O Device 1.1, 4.1.4. */
import { hex, type Look } from './space.ts'

const VIRTIO = ['<unknown>', 'CommonCfg', 'Notify', 'ISR', 'DeviceCfg']

export function showVendorSpecific(look: Look, at: number, word: number): undefined {
  look.print('Vendor Specific Information: ')
  if (!showVirtio(look, at, word)) look.print(`Len=${hex(word & 0xff, 2)} <?>\n`)
}

function showVirtio({ space, verbose, print }: Look, at: number, word: number): boolean {
  const length = word & 0xff
  const type = word >> 8
  const device = space.u16(2)
  if (space.u16(0) !== 0x1af4 || device < 0x1000 || device > 0x107f) return false
  if (length < 16 || !space.load(at, length)) return false
  print(`VirtIO: ${VIRTIO[type] ?? VIRTIO[0]}\n`)
  if (verbose < 2) return true
  print(`\t\tBAR=${space.u8(at + 4)} offset=${hex(space.u32(at + 8), 8)} size=${hex(space.u32(at + 12), 8)}`)
  if (type === 2 && length >= 20) print(` multiplier=${hex(space.u32(at + 16), 8)}`)
  print('\n')
  return true
}
