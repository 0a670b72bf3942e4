/**
 * A kernel's time: which clock it reads and which timer ticks for it, by what its machine has and its parameters say; what
 * NTP does to it; and the files in which all of this is seen.
 *
 *     image.install(time)
 *     // then, on a host: cat /sys/devices/system/clocksource/clocksource0/available_clocksource
 */
import { type Host, type PseudoNode, type Room, timeSlot } from '#kernel/core'
import { adjtimex } from './adjtimex.ts'
import { bootMessages } from './boot-messages.ts'
import { timeDevices } from './devices.ts'
import { installInside } from './inside.ts'
import { installRtc } from './rtc.ts'
import { timeOf, timeState } from './state.ts'
import { SteeredClock } from './timekeeper.ts'
import { timerList } from './timer-list.ts'

export { bootMessages } from './boot-messages.ts'
export { type ClockEventDevice, type Clocksource, timeDevices } from './devices.ts'
export * from './ntp.ts'
export { clockScale, multShift, ticksToNs } from './scale.ts'
export { timeOf } from './state.ts'
export { timerList } from './timer-list.ts'
export { bucketOf, CascadingWheel, Wheel } from './wheel.ts'

const CLOCKSOURCE = '/sys/devices/system/clocksource/clocksource0'

export const time: Room = {
  name: 'kernel/time',
  needs: [],
  install(image) {
    image.profiles.add('linux-2.6.32')
    image.proc('/proc/timer_list', { read: timerList, mode: 0o400 })
    image.proc(`${CLOCKSOURCE}/available_clocksource`, {
      read: (host) =>
        `${timeOf(host)
          .available()
          .map(({ name }) => `${name} `)
          .join('')}\n`,
    })
    image.proc(`${CLOCKSOURCE}/current_clocksource`, {
      read: (host) => `${timeOf(host).current().name}\n`,
      write: (host, text) => timeOf(host).choose(text),
    })
    image.procDirectory('/sys/devices/system/clockevents', {
      list: (host) => ['broadcast', ...Array.from({ length: timeDevices(host).cpus }, (_, cpu) => `clockevent${cpu}`)],
      lookup: (host, name) => eventDirectory(host, name),
    })
    installRtc(image)
    installInside(image)
    const slot = timeSlot(image)
    slot.timekeeper = (host) => new SteeredClock(host)
    slot.bootMessages = bootMessages
    slot.beforeLog = (host) => {
      if (host.hardware.flaws.tsc !== undefined) timeState.of(host).settle()
    }
    image.program({ name: 'adjtimex', paths: ['/usr/sbin/adjtimex'], main: adjtimex })
  },
}

/** Linux 6.1 kernel/time/clockevents.c: current_device_show(). */
function eventDirectory(host: Host, name: string): PseudoNode | undefined {
  const { perCpu, broadcast, cpus } = timeDevices(host)
  const cpu = /^clockevent(\d)$/.exec(name)?.[1]
  if (name !== 'broadcast' && !(cpu !== undefined && Number(cpu) < cpus)) return undefined
  const device = name === 'broadcast' ? broadcast : perCpu
  return {
    kind: 'directory',
    directory: {
      list: () => ['current_device'],
      lookup: (_, file) =>
        file === 'current_device'
          ? { kind: 'file', file: { read: () => (device ? `${device.name}\n` : '') } }
          : undefined,
    },
  }
}
