/** The functions that /sys/bus/pci/devices shows, as programs read them. pciutils 3.9.0 lib/sysfs.c. */
import { type Body, readAll, readTextFile, type Sys } from '#kernel/core'
import type { PciFunction, Region } from './lspci/space.ts'

export const DEVICES = '/sys/bus/pci/devices'

const ADDRESS = /^([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/

function* number(sys: Sys, path: string): Body<number | undefined> {
  const read = yield* readTextFile(sys, path)
  return read.ok ? Number(read.value.trim()) : undefined
}

function* regions(sys: Sys, path: string): Body<Region[]> {
  const read = yield* readTextFile(sys, path)
  const lines = read.ok ? read.value.trimEnd().split('\n') : []
  const all = lines.map((line): Region => {
    const [start = 0n, end = 0n, flags = 0n] = line.split(' ').map(BigInt)
    return { base: start, size: end > start ? end - start + 1n : 0n, flags: Number(flags & 0xffff_ffffn) }
  })
  // Behind the ROM stand six of virtual functions, and four windows if it is a bridge.
  return [...all.slice(0, 7), ...(all.length >= 17 ? all.slice(13, 17) : [])]
}

export function* machineFunctions(sys: Sys): Body<PciFunction[]> {
  const names = sys.readdir(DEVICES)
  const byName = new Map<string, PciFunction>()
  const parents = new Map<PciFunction, string | undefined>()
  for (const name of names.ok ? names.value : []) {
    const address = ADDRESS.exec(name)
    if (!address) continue
    const at = `${DEVICES}/${name}`
    const opened = yield* sys.open(`${at}/config`)
    let config = new Uint8Array(0)
    if (opened.ok) {
      const got = yield* readAll(sys, opened.value)
      sys.close(opened.value)
      if (got.ok) config = new Uint8Array(got.value)
    }
    const own = {
      vendor: (yield* number(sys, `${at}/vendor`)) ?? 0xffff,
      device: (yield* number(sys, `${at}/device`)) ?? 0xffff,
      class: (yield* number(sys, `${at}/class`)) ?? 0,
      irq: (yield* number(sys, `${at}/irq`)) ?? 0,
      revision: yield* number(sys, `${at}/revision`),
      numa: yield* number(sys, `${at}/numa_node`),
      vendorOf: (yield* number(sys, `${at}/subsystem_vendor`)) ?? 0,
      deviceOf: (yield* number(sys, `${at}/subsystem_device`)) ?? 0,
    }
    const driver = sys.readlink(`${at}/driver`)
    const path = sys.readlink(at)
    const found: PciFunction = {
      domain: Number.parseInt(address[1]!, 16),
      bus: Number.parseInt(address[2]!, 16),
      device: Number.parseInt(address[3]!, 16),
      func: Number(address[4]),
      read: (from, length) => (from + length > config.length ? undefined : config.subarray(from, from + length)),
      os: {
        vendor: own.vendor,
        device: own.device,
        class: own.class >> 8,
        progIf: own.class & 0xff,
        revision: own.revision,
        subsystem: [own.vendorOf, own.deviceOf],
        irq: own.irq,
        regions: yield* regions(sys, `${at}/resource`),
        driver: driver.ok ? driver.value.replace(/.*\//, '') : undefined,
        numaNode: own.numa === undefined || own.numa < 0 ? undefined : own.numa,
      },
    }
    byName.set(name, found)
    parents.set(found, path.ok ? path.value.split('/').at(-2) : undefined)
  }
  for (const found of byName.values()) found.os!.parent = byName.get(parents.get(found) ?? '')
  for (const slot of (function* () {
    const listed = sys.readdir('/sys/bus/pci/slots')
    yield* listed.ok ? listed.value : []
  })()) {
    const address = yield* readTextFile(sys, `/sys/bus/pci/slots/${slot}/address`)
    if (!address.ok) continue
    for (const [name, found] of byName) if (name.startsWith(`${address.value.trim()}.`)) found.os!.slot = slot
  }
  return [...byName.values()]
}
