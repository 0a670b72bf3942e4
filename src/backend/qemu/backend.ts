/** The backend `qemu`: an article's hosts as namespaces in a Debian kernel on a machine with a virtual clock. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend, LabSession, SessionOptions } from '#article/runner'
import { openSession } from '#backend/netns'
import type { Hardware } from '#kernel/core'
import type { LabPlan } from '#lab/plan'
import { isPrepared, kernelRelease, prepareMachine } from './image.ts'
import { type Machine, QEMU, startMachine } from './machine.ts'
import { guestPackages } from './packages.ts'
import { joinSessions, partsOf } from './several.ts'

/** Debian packages on the outside of the machine, and a file of each. */
const OUTSIDE: [debianPackage: string, file: string][] = [
  ['qemu-system-x86', QEMU],
  ['util-linux', 'setpriv'],
  ['e2fsprogs', 'mkfs.ext4'],
  ['xz-utils', 'xz'],
]

const PLACES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin']

/** The Debian packages to install before a machine can be made here. */
export function missingPackages(): string[] {
  const outside = OUTSIDE.filter(([, file]) => !PLACES.some((place) => existsSync(join(place, file)))).map(
    ([name]) => name,
  )
  const kernel = kernelRelease() === undefined ? ['linux-image-amd64'] : []
  return [...outside, ...kernel, ...guestPackages().missing]
}

/** Undefined if a machine can be made here, else one line that says why not. */
export async function qemuUnavailable(): Promise<string | undefined> {
  if (process.platform !== 'linux' || !existsSync('/var/lib/dpkg/status')) {
    return 'needs a Debian, whose installed packages the machine is made of'
  }
  if (process.arch !== 'x64') return `the machine is made of amd64 packages, and these are for ${process.arch}`
  const missing = missingPackages()
  if (missing.length > 0) return `needs apt-get install ${missing.join(' ')}`
  // The root image has the owners and modes that the packages' files have here.
  if (process.getuid?.() !== 0 && !isPrepared()) return 'the first run makes the machine’s root image, as root'
  return undefined
}

export interface QemuOptions {
  /** Hears what takes long, such as the making of the root image. */
  onProgress?: (text: string) => void
  /**
   * A boot for each session, so that it gives the same bytes whatever ran before it. Without it, sessions with the same
   * seed share one: some seconds less, and only a whole batch repeats to the byte.
   */
  bootEach?: boolean
}

/** Creates the backend. The machine is booted for the first session and serves all that follow with the same seed. */
export function createQemuBackend({ onProgress, bootEach = false }: QemuOptions = {}): Backend {
  let booted: { as: string; machine: Promise<Machine> } | undefined
  let last: Promise<unknown> = Promise.resolve()

  const stop = async () => {
    const { machine } = booted ?? {}
    booted = undefined
    await machine?.then((running) => running.close()).catch(() => {})
  }
  const machineFor = async (seed: number, hardware: Hardware | undefined): Promise<Machine> => {
    const as = JSON.stringify([seed, hardware])
    if (booted?.as !== as || !(await booted.machine).running) await stop()
    booted ??= { as, machine: prepareMachine(onProgress).then((files) => startMachine(files, seed, hardware)) }
    return booted.machine
  }

  /** Guests of their own, that end with the session. */
  const openSeveral = async (plans: LabPlan[], options: SessionOptions, ended: () => Promise<void>) => {
    const machines: Machine[] = []
    const end = async () => {
      for (const machine of machines) machine.close()
      await ended()
    }
    try {
      const files = await prepareMachine(onProgress)
      const sessions: LabSession[] = []
      for (const plan of plans) {
        const machine = await startMachine(files, options.seed, plan.hosts[0]?.hardware)
        machines.push(machine)
        sessions.push(await openSession(machine, plan, options, () => {}))
      }
      const joined = joinSessions(plans, sessions)
      return {
        ...joined,
        finish: () => joined.finish().finally(end),
        close: end,
      }
    } catch (error) {
      for (const machine of machines) machine.close()
      throw error
    }
  }

  return {
    name: 'qemu',
    unavailable: qemuUnavailable,
    async open(plan, options) {
      const why = await qemuUnavailable()
      if (why !== undefined) throw new Error(`qemu: ${why}`)
      // One lab at a time: the next waits until this one is over.
      const before = last
      let over = () => {}
      last = new Promise<void>((resolve) => {
        over = resolve
      })
      await before
      try {
        const plans = partsOf(plan)
        const ended = async () => over()
        if (plans.length === 1) {
          const machine = await machineFor(options.seed, plan.hosts[0]?.hardware)
          return await openSession(machine, plan, options, async () => {
            if (bootEach) await stop()
            else if (machine.running) await machine.request(['close']).catch(() => {})
            await ended()
          })
        }
        return await openSeveral(plans, options, ended)
      } catch (error) {
        over()
        await stop()
        throw error
      }
    },
    close: stop,
  }
}
