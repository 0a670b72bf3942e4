/** What the real kernel shows of machines with devices, and what a simulated host of the same words shows. */
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { CONFIGURATIONS, DEVICE_CONFIGURATIONS, readRecords } from '#backend/qemu'
import { decodeUtf8 } from '#base/bytes'
import { drive, Simulator } from '#base/sim'
import { createCapture, createHost } from '#kernel/core'
import { createDebian12 } from '#lab/catalogue'

const said = {
  ...readRecords().said,
  ...readRecords(fileURLToPath(new URL('../../backend/qemu/configurations/devices.json.gz', import.meta.url))).said,
}
const image = createDebian12()

async function run(script: string, name: string): Promise<string> {
  const { machine, devices, cmdline = '' } = DEVICE_CONFIGURATIONS[name] ?? CONFIGURATIONS[name]!
  const sim = new Simulator(1)
  const host = createHost({
    sim,
    image,
    name: 'host',
    number: 1,
    startS: 1_767_225_600,
    hardware: {
      type: machine,
      cpus: 1,
      memoryMb: 512,
      hpet: true,
      devices,
      cmdline: cmdline.split(' ').filter((word) => word !== ''),
      flaws: {},
    },
  })
  let output = ''
  let ended = false
  const out = createCapture({
    onOutput: (bytes) => {
      output += decodeUtf8(bytes)
    },
  })
  host.spawn({
    argv: ['bash', '-c', script],
    files: [host.openPath('/dev/null', 2)!, out, out],
    env: { PATH: '/usr/sbin:/usr/bin' },
    onExit: () => {
      ended = true
    },
  })
  await drive(sim, 600e9, () => ended)
  return output
}

/** The guest has no list of modules, and its lspci says so. */
const withoutComplaint = (text: string) =>
  text.replace(/^lspci: Unable to load libkmod resources: error -2\n/, '').trimEnd()

const RESOURCES = 'cd /sys/bus/pci/devices; for d in *; do echo $d; cat $d/resource $d/irq; done'
const SAME = ['lspci', 'lspci -nn', 'lspci -t', 'lspci -tv', 'lspci -k', RESOURCES, 'cat /proc/bus/pci/devices']

/** Without ACPI the lines come from the table for several processors, whose routes behind bridges aren't modelled. */
const DEPARTS = new Set(['pci-bridges-acpi-off'])

describe.each(Object.keys(said))('%s', (name) => {
  test.each(
    SAME.filter((command) => said[name]![command] !== undefined && (!DEPARTS.has(name) || !/\$d|proc/.test(command))),
  )('%s', async (command) => {
    expect(withoutComplaint(await run(command, name))).toBe(withoutComplaint(said[name]![command]!))
  })

  test.skipIf(DEPARTS.has(name))('lspci -vvv, but for slots and what a message interrupt carries', async () => {
    const comparable = (text: string) =>
      withoutComplaint(text)
        .replaceAll(/^\tPhysical Slot: .*\n/gm, '')
        .replaceAll(/Address: \S+ {2}Data: \S+/g, 'Address and data')
    expect(comparable(await run('lspci -vvv', name))).toBe(comparable(said[name]!['lspci -vvv']!))
  })
})

test('setpci reads and writes, by name, by place, in capabilities, by bits', async () => {
  const script = `setpci -s 2.0 VENDOR_ID COMMAND CAP_MSIX+2.W; setpci -v -s 2.0 40.L CAP_MSIX+2.W
    setpci -v -s 2.0 COMMAND=4:4; setpci -s 2.0 COMMAND=0:1; setpci -s 2.0 4.w; setpci -s 9.0 0.w; setpci VENDOR_ID; setpci -s 2.0 41.L; setpci -s 2.0 FOO`
  expect(await run(script, 'pci-virtio')).toBe(`1af4
0507
8003
0000:00:02.0 @40 = 01100009
0000:00:02.0 (cap 11 @98) @9a = 8003
0000:00:02.0 @04 0507->(0004:0004)->0507
0506
setpci: Warning: No devices selected for operation group 1.
setpci: Filter specification expected.
Try \`setpci --help' for more information.
setpci: Unaligned register address 41.
Try \`setpci --help' for more information.
setpci: Unknown register "FOO".
Try \`setpci --help' for more information.
`)
})
