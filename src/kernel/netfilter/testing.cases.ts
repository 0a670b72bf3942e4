/** For tests: a host with these tools, and what a command line prints and gives there. */
import { drive, SECOND, Simulator } from '#base/sim'
import type { Outcome } from '#base/testing'
import { createCapture, createHost, type KernelHost } from '#kernel/core'
import { createDebian12 } from '#lab/catalogue'
import { createShellSession, decodeText } from '#user/shell'

export interface Bench {
  host: KernelHost
  sim: Simulator
  /** Runs a command line by `bash -c`, without input, its two outputs apart. */
  run(command: string): Promise<Outcome>
}

/** A host of Debian 12, alone. */
export async function bench(): Promise<Bench> {
  const sim = new Simulator(1)
  const host = createHost({ sim, image: createDebian12(), name: 'client', number: 1, startS: 1_767_225_600 })
  const outputs = ['', '']
  const capture = (i: number) =>
    createCapture({
      onOutput: (bytes) => {
        outputs[i] += decodeText(bytes)
      },
    })
  const session = createShellSession(host, {
    files: [host.openPath('/dev/null', 2)!, capture(0), capture(1)],
    env: { LC_ALL: 'C.UTF-8', TZ: 'UTC', PATH: '/usr/sbin:/usr/bin' },
  })
  const text = (path: string) => decodeText(host.readFile(path) ?? new Uint8Array(0))
  const run = async (command: string): Promise<Outcome> => {
    let status: number | undefined
    session.execute(command, (value) => {
      status = value
    })
    for (let i = 0; i < 1000 && status === undefined; i++) await drive(sim, sim.nowNs + SECOND)
    if (status === undefined) throw new Error(`${command}: did not end: ${outputs.join('')}`)
    return { stdout: outputs[0]!, stderr: outputs[1]!, status }
  }
  return {
    host,
    sim,
    async run(command) {
      host.writeFile('/command', command)
      const { status } = await run('bash -c "$(< /command)" < /dev/null > /stdout 2> /stderr')
      return { stdout: text('/stdout'), stderr: text('/stderr'), status }
    },
  }
}
