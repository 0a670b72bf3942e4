/** A host's `machine:`: a type's name, or a map that says more. */
import { isMap, isSeq } from 'yaml'
import { closest } from '#base/text'
import { type Hardware, MACHINE_TYPES, type MachineType, PLAIN_HARDWARE } from '#kernel/core'
import { entriesOf, textOf, type YamlSource } from './parse.ts'

const CPUS_MAX = 8
const MEMORY_MB = { min: 256, max: 4096 }
const DEVICES_MAX = 64
const WORDS_MAX = 64
const KEYS = ['type', 'cpus', 'memory', 'hpet', 'devices', 'cmdline', 'flaws']

/** A device in QEMU's words: what it is, and settings. */
const DEVICE = /^[A-Za-z][A-Za-z0-9.-]{0,40}(,[a-z][A-Za-z0-9_-]{0,40}=[A-Za-z0-9_.:-]{0,40}){0,16}$/
/** Settings and devices that would bring something of the machine on which the emulator runs. */
const OUTSIDE =
  /,(file|filename|path|romfile|chardev|drive|netdev|memdev|host|hostaddr|sysfsdev)=|^(loader|generic|vfio|usb-host|ivshmem|vhost)/
/** A kernel parameter: no blanks, no quotes. */
const PARAMETER = /^[A-Za-z0-9_.-]{1,64}(=[A-Za-z0-9_.,:@+/-]{0,200})?$/

/** What `machine:` says; undefined hardware if it is a plain one. */
export function machineOf(source: YamlSource, node: unknown): { machine: string; hardware?: Hardware } {
  const { mistakes, at } = source
  const plain = { machine: PLAIN_HARDWARE.type as string }
  if (!isMap(node)) {
    const text = textOf(source, node, '`machine`')
    if (text === undefined) return plain
    const type = typeOf(source, node, text)
    return type === undefined || type === PLAIN_HARDWARE.type
      ? plain
      : { machine: type, hardware: { ...PLAIN_HARDWARE, type } }
  }
  const hardware: { -readonly [K in keyof Hardware]: Hardware[K] } = { ...PLAIN_HARDWARE }
  for (const { key, keyNode, value } of entriesOf(source, node, '`machine`')) {
    if (key === 'devices') hardware.devices = devicesOf(source, value)
    else if (key === 'flaws') {
      hardware.flaws = Object.fromEntries(
        entriesOf(source, value, '`flaws`').map((flaw) => [flaw.key, textOf(source, flaw.value, flaw.key) ?? '']),
      )
    } else if (!KEYS.includes(key)) {
      const like = closest(key, KEYS)
      mistakes.add(
        at(keyNode),
        `a machine has no \`${key}\``,
        like ? `did you mean \`${like}\`?` : `there is ${KEYS.join(', ')}`,
      )
    } else {
      const text = textOf(source, value, `\`${key}\``)
      if (text === undefined) continue
      if (key === 'type') hardware.type = typeOf(source, value, text) ?? hardware.type
      else if (key === 'cpus') hardware.cpus = numberOf(source, value, text, 'CPUs', 1, CPUS_MAX) ?? hardware.cpus
      else if (key === 'memory') {
        const megabytes = text.replace(/\s*(M|MB|MiB)$/, '')
        hardware.memoryMb =
          numberOf(source, value, megabytes, 'megabytes of memory', MEMORY_MB.min, MEMORY_MB.max) ?? hardware.memoryMb
      } else if (key === 'hpet') {
        if (!/^(true|false|on|off)$/.test(text)) mistakes.add(at(value), `hpet can't be \`${text}\``, 'write on or off')
        hardware.hpet = text === 'true' || text === 'on'
      } else hardware.cmdline = cmdlineOf(source, value, text)
    }
  }
  return { machine: hardware.type, hardware }
}

function typeOf({ mistakes, at }: YamlSource, node: unknown, text: string): MachineType | undefined {
  const type = MACHINE_TYPES.find((each) => each === text)
  if (type === undefined) mistakes.add(at(node), `no machine \`${text}\``, `there is ${MACHINE_TYPES.join(', ')}`)
  return type
}

function numberOf(
  { mistakes, at }: YamlSource,
  node: unknown,
  text: string,
  what: string,
  min: number,
  max: number,
): number | undefined {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : -1
  if (number >= min && number <= max) return number
  mistakes.add(at(node), `\`${text}\` ${what}`, `write a number from ${min} to ${max}`)
  return undefined
}

function devicesOf(source: YamlSource, node: unknown): string[] {
  const { mistakes, at } = source
  if (!isSeq(node) || node.items.length > DEVICES_MAX) {
    mistakes.add(
      at(node),
      `\`devices\` must be a list of at most ${DEVICES_MAX}`,
      'write [e1000e, "pci-bridge,id=b1,chassis_nr=1"]',
    )
    return []
  }
  return node.items.flatMap((item) => {
    const text = textOf(source, item, 'a device')
    if (text === undefined) return []
    if (DEVICE.test(text) && !OUTSIDE.test(text)) return [text]
    mistakes.add(at(item), `\`${text}\` is no device`, 'write it as e1000e or pcie-root-port,id=rp1,chassis=1')
    return []
  })
}

function cmdlineOf({ mistakes, at }: YamlSource, node: unknown, text: string): string[] {
  const words = text.split(/\s+/).filter(Boolean)
  const wrong = words.find((word) => !PARAMETER.test(word))
  if (wrong !== undefined) mistakes.add(at(node), `\`${wrong}\` is no kernel parameter`, 'write it as nohz=off')
  else if (words.length > WORDS_MAX) mistakes.add(at(node), `more than ${WORDS_MAX} kernel parameters`, 'give fewer')
  else return words
  return []
}
