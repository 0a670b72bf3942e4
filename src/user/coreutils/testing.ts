/** For tests: a host with the shell and these tools, and what a command line prints and gives there. */
import { drive, SECOND, Simulator } from '#base/sim'
import type { Outcome } from '#base/testing'
import { createCapture, createHost, createImage, type KernelHost } from '#kernel/core'
import { createShellSession, decodeText, shell } from '#user/shell'
import { coreutils } from './index.ts'

export interface ToolHost {
  host: KernelHost
  /** Runs a command line by `bash -c` in /work, without input, its two outputs apart. */
  run(command: string): Promise<Outcome>
}

/** A host whose directory /work was made by a script. */
export async function toolHost(setup: string): Promise<ToolHost> {
  const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
  image.install(shell)
  image.install(coreutils)
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'client', number: 1, startS: 1_767_225_600 })
  const outputs = ['', '']
  const capture = (i: number) =>
    createCapture({
      onOutput: (bytes) => {
        outputs[i] += decodeText(bytes)
      },
    })
  const session = createShellSession(host, {
    files: [host.openPath('/dev/null', 2)!, capture(0), capture(1)],
    env: { LC_ALL: 'C.UTF-8', TZ: 'UTC' },
  })
  const text = (path: string) => decodeText(host.readFile(path) ?? new Uint8Array(0))
  const run = async (command: string): Promise<Outcome> => {
    outputs[0] = ''
    outputs[1] = ''
    let status: number | undefined
    session.execute(command, (value) => {
      status = value
    })
    for (let i = 0; i < 1000 && status === undefined; i++) await drive(sim, sim.nowNs + SECOND)
    if (status === undefined) throw new Error(`${command}: did not end`)
    return { stdout: outputs[0]!, stderr: outputs[1]!, status }
  }
  host.writeFile('/setup', setup)
  const made = await run('mkdir /work && cd /work && bash /setup')
  if (made.status !== 0 || made.stderr !== '') throw new Error(`setup: ${made.stderr}`)
  return {
    host,
    async run(command) {
      host.writeFile('/command', command)
      const { status } = await run('bash -c "$(< /command)" < /dev/null > /stdout 2> /stderr')
      return { stdout: text('/stdout'), stderr: text('/stderr'), status }
    },
  }
}
