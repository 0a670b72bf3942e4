/** What machine a host is: what its firmware and its boot loader would tell the kernel. Rooms below `machine/` make it of this. */

export const MACHINE_TYPES = ['pc', 'q35'] as const
export type MachineType = (typeof MACHINE_TYPES)[number]

export interface Hardware {
  /** QEMU's names: `pc` is an i440FX with a PIIX3, `q35` a Q35 with an ICH9. */
  readonly type: MachineType
  readonly cpus: number
  readonly memoryMb: number
  /** Whether there is a High Precision Event Timer. */
  readonly hpet: boolean
  /** Devices, the first at the lowest free place, each in the words of QEMU's `-device`: `e1000e,bus=rp1,addr=00.0`. */
  readonly devices: readonly string[]
  /** What the boot loader tells the kernel, word by word: `nohz=off`. */
  readonly cmdline: readonly string[]
  /** What is wrong with it: a name and how much. Each room says in its README which it knows. */
  readonly flaws: Readonly<Record<string, string>>
}

/** What a host is if its lab doesn't say: all such hosts share it. */
export const PLAIN_HARDWARE: Hardware = Object.freeze({
  type: 'pc',
  cpus: 1,
  memoryMb: 768,
  hpet: true,
  devices: Object.freeze([]),
  cmdline: Object.freeze([]),
  flaws: Object.freeze({}),
})
