/** Where the room that models time (`kernel/time`) meets a host: its clock once it is slewed, and what its boot said. */
import type { Host } from './host.ts'
import type { KernelImage } from './image.ts'

/** CLOCK_REALTIME of a host that was told more than a time. */
export interface Timekeeper {
  read(): { s: number; ns: number }
  set(s: number, ns: number): void
  /** adjtimex(2); undefined is EINVAL. The fields are `kernel/time`'s. */
  adjust(timex: object): { state: number; timex: object } | undefined
}

/** What `kernel/time` installs. */
export interface TimeSlot {
  timekeeper?: (host: Host) => Timekeeper
  /** What the kernel said while it booted, for a host whose machine its lab describes. */
  bootMessages?: (host: Host) => { timeNs: number; level: number; text: string }[]
  /** Before the log is read: what has happened that nobody looked at yet. */
  beforeLog?: (host: Host) => void
}

export function timeSlot(image: KernelImage): TimeSlot {
  return image.slot<TimeSlot>('kernel/core time', () => ({}))
}
