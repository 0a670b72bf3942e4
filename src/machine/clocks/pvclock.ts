/**
 * KVM's paravirtual clock: 32 bytes in the guest's memory from which it makes the time out of the TSC, without leaving
 * the guest. The host makes the version odd, writes, and makes it even; a guest that read an odd version, or another one
 * before than after, reads again.
 *
 * Linux 6.1 Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW; arch/x86/include/asm/pvclock-abi.h for the layout.
 */

export const PVCLOCK_BYTES = 32
/** Flags: one TSC for all CPUs; the guest was stopped by its host. */
export const PVCLOCK_TSC_STABLE = 1
export const PVCLOCK_GUEST_STOPPED = 2

const AT = { version: 0, tsc: 8, system: 16, mul: 24, shift: 28, flags: 29 }

export interface PvclockTime {
  /** TSC, as the guest sees it, and the time in ns at that moment. */
  tsc: bigint
  systemNs: bigint
  khz: number
  flags: number
}

/** What turns ticks of a TSC into ns: shifted first, then times mul over 2^32. */
export function pvclockScale(khz: number): { mul: number; shift: number } {
  const target = 1_000_000_000n
  let scaled = target
  let base = BigInt(Math.round(khz * 1000))
  let shift = 0
  // The TSC's rate is brought to between the target and twice that, and both to 32 bits.
  while (base > scaled * 2n) {
    base >>= 1n
    shift--
  }
  while (base <= scaled) {
    if (scaled > 0x7fff_ffffn || base > 0xffff_ffffn) scaled >>= 1n
    else base <<= 1n
    shift++
  }
  return { mul: Number(BigInt.asUintN(32, (scaled << 32n) / base)), shift }
}

/** The host's side. */
export class PvclockWriter {
  readonly #view: DataView

  constructor(page: DataView) {
    this.#view = page
  }

  /** @param between called while the version is odd: what a guest sees that reads in that moment */
  update({ tsc, systemNs, khz, flags }: PvclockTime, between: () => void = () => {}): void {
    const view = this.#view
    const version = view.getUint32(AT.version, true)
    view.setUint32(AT.version, (version | 1) >>> 0, true)
    const { mul, shift } = pvclockScale(khz)
    view.setBigUint64(AT.tsc, BigInt.asUintN(64, tsc), true)
    between()
    view.setBigUint64(AT.system, BigInt.asUintN(64, systemNs), true)
    view.setUint32(AT.mul, mul, true)
    view.setInt8(AT.shift, shift)
    view.setUint8(AT.flags, flags)
    view.setUint32(AT.version, ((version | 1) + 1) >>> 0, true)
  }
}

/** The guest's side: undefined if it has to read again. */
export function tryReadPvclock(view: DataView, rdtsc: () => bigint): { ns: bigint; flags: number } | undefined {
  const version = view.getUint32(AT.version, true)
  if (version & 1) return undefined
  const delta = rdtsc() - view.getBigUint64(AT.tsc, true)
  const shift = BigInt(view.getInt8(AT.shift))
  const shifted = shift >= 0n ? delta << shift : delta >> -shift
  const ns = view.getBigUint64(AT.system, true) + ((shifted * BigInt(view.getUint32(AT.mul, true))) >> 32n)
  const flags = view.getUint8(AT.flags)
  return view.getUint32(AT.version, true) === version ? { ns: BigInt.asUintN(64, ns), flags } : undefined
}

/** The guest's clock, in ns. */
export function readPvclock(view: DataView, rdtsc: () => bigint): bigint {
  for (;;) {
    const read = tryReadPvclock(view, rdtsc)
    if (read) return read.ns
  }
}
