/** Plays scripts on a real kernel: on a host of a backend's lab, by an agent that makes a namespace of its own for each. */
import { readFileSync } from 'node:fs'
import { type Backend, DEFAULT_START, type LabSession } from '#article/runner'
import type { LabPlan } from '#lab/plan'
import { type Outcome, outcomeOf, programOf } from './program.ts'
import type { Script } from './script.ts'

const AGENT = readFileSync(new URL('./agent.pl', import.meta.url), 'utf8')

/** A host without a card: the agent makes its own. */
const plan: LabPlan = {
  networks: [],
  hosts: [
    {
      name: 'kernel',
      number: 1,
      interfaces: [],
      loopback: [],
      gateway: undefined,
      sysctl: [],
      ipv6: false,
      kernel: 'linux-6.1',
      machine: 'pc',
    },
  ],
}

/** Script zero falls on a multiple of so many jiffies: 16 s where time costs nothing, else a quarter of a second. */
const ALIGN = { qemu: 4096, netns: 64, sim: 4096 }

/** A kernel that scripts are played on, one after the other. */
export interface KernelRunner {
  run(script: Script): Promise<Outcome>
  close(): Promise<void>
}

/** Boots, or makes namespaces, once for many scripts. */
export async function openKernel(backend: Backend): Promise<KernelRunner> {
  const session: LabSession = await backend.open(plan, { seed: 1, start: DEFAULT_START, capture: false })
  await session.writeFile('kernel', '/root/agent.pl', AGENT)
  return {
    async run(script) {
      await session.writeFile('kernel', '/root/script', programOf(script, ALIGN[backend.name]))
      const { output, status } = await session.command('kernel', 'perl /root/agent.pl < /root/script', {
        limitS: 100_000,
      })
      if (status !== 0) throw new Error(`${script.file}: ${output}`)
      return outcomeOf(script, output)
    },
    close: () => session.close(),
  }
}
