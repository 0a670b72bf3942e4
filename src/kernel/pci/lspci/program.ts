/** lspci as a program: what it reads it reads through system calls. */
import { inflateSync } from 'fflate'
import { decodeUtf8 } from '#base/bytes'
import { type Body, readTextFile, type Sys, strerror, writeText } from '#kernel/core'
import { machineFunctions } from '../sysfs-reader.ts'
import { runLspci } from './lspci.ts'
import { PCI_IDS } from './pci-ids.ts'
import type { PciFunction } from './space.ts'

/** Where udev keeps its hardware database. */
const HWDB = '/usr/lib/udev/hwdb.bin'

let names: string | undefined

/** The list of names, unpacked when first asked for. */
export function pciIds(): string {
  if (names === undefined) {
    const binary = fromBase64(PCI_IDS)
    names = decodeUtf8(inflateSync(binary))
  }
  return names
}

function fromBase64(text: string): Uint8Array {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const value = new Uint8Array(128)
  for (let i = 0; i < 64; i++) value[letters.charCodeAt(i)] = i
  const length = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length
  const bytes = new Uint8Array(Math.floor((length * 3) / 4))
  for (let i = 0, at = 0; i < length; i += 4) {
    const bits = [0, 1, 2, 3].reduce((sum, j) => (sum << 6) | (i + j < length ? value[text.charCodeAt(i + j)]! : 0), 0)
    for (const shift of [16, 8, 0]) if (at < bytes.length) bytes[at++] = (bits >> shift) & 0xff
  }
  return bytes
}

export function* lspci(sys: Sys, argv: string[]): Body<number> {
  const files = new Map<string, { ok: true; text: string } | { ok: false; why: string }>()
  const wanted = new Set<string>()
  let machine: PciFunction[] | undefined
  const udev = sys.access(HWDB, 'exists').ok
  // It asks for files as it goes; each is read, and then it begins anew.
  for (;;) {
    let missing: string | undefined
    let needsMachine = false
    const output = runLspci({
      argv,
      file(path) {
        const known = files.get(path)
        if (!known) missing = path
        return known ?? { ok: true, text: '' }
      },
      machine() {
        if (!machine) needsMachine = true
        return machine ?? []
      },
      ids: pciIds,
      udev,
    })
    if (missing !== undefined && !wanted.has(missing)) {
      wanted.add(missing)
      const read = yield* readTextFile(sys, missing)
      files.set(missing, read.ok ? { ok: true, text: read.value } : { ok: false, why: strerror(read.errno) })
    } else if (needsMachine) machine = yield* machineFunctions(sys)
    else {
      yield* writeText(sys, 1, output.stdout)
      yield* writeText(sys, 2, output.stderr)
      return output.status
    }
  }
}
