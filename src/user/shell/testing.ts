/** For tests: one host with a shell, and what a command prints on it. */
import { drive, SECOND, Simulator } from '#base/sim'
import { createCapture, createHost, createImage, type KernelHost, type Room } from '#kernel/core'
import { createShellSession, type ShellSession, shell } from './index.ts'
import { decodeText } from './text.ts'

export interface TestHost {
  sim: Simulator
  host: KernelHost
  session: ShellSession
  /** Runs a command to its end: what it printed, its status and the seconds it took. */
  run(text: string): Promise<{ output: string; status: number; took: number }>
}

/** A host with the shell and further rooms. */
export function testHost(...rooms: Room[]): TestHost {
  const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
  image.install(shell)
  for (const room of rooms) image.install(room)
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'client', number: 1, startS: 1_767_225_600 })
  let output = ''
  const out = createCapture({
    onOutput: (bytes) => {
      output += decodeText(bytes)
    },
  })
  const nothing = host.openPath('/dev/null', 2)!
  const session = createShellSession(host, { files: [nothing, out, out] })
  return {
    sim,
    host,
    session,
    async run(text) {
      output = ''
      let status: number | undefined
      const startNs = sim.nowNs
      let endNs = startNs
      session.execute(text, (value) => {
        status = value
        endNs = sim.nowNs
      })
      for (let i = 0; i < 1000 && status === undefined; i++) await drive(sim, sim.nowNs + SECOND)
      if (status === undefined) throw new Error(`${text}: did not end`)
      return { output, status, took: (endNs - startNs) / SECOND }
    },
  }
}
