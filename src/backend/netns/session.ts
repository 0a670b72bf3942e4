/** A lab session in the terms of `Backend`, over whatever carries messages to the agent. */
import type { CommandResult, InterfaceCapture, LabSession, LabVerb, SessionOptions } from '#article/runner'
import type { LabPlan } from '#lab/plan'
import { LabRefused } from '#lab/world'
import { capturesOf, planText } from './protocol.ts'

/** Carries requests to an agent, one at a time, and its answers back. */
export interface AgentChannel {
  /** The fields after `ok`; `error` rejects. */
  request(fields: (string | number | Uint8Array)[], onOutput?: (text: string) => void): Promise<Uint8Array[]>
}

const DEFAULT_LIMIT_S = 120

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

/** Builds the lab; `ended` is called once, when the session is over, however it ended. */
export async function openSession(
  channel: AgentChannel,
  plan: LabPlan,
  options: SessionOptions,
  ended: () => Promise<void> | void,
): Promise<LabSession> {
  let over = false
  const end = async () => {
    if (over) return
    over = true
    await ended()
  }
  const result = ([at, took, status, timedOut, output]: Uint8Array[]): CommandResult => ({
    at: Number(text(at)) / 1e9,
    took: Number(text(took)) / 1e9,
    status: Number(text(status)),
    timedOut: text(timedOut) === '1',
    output: text(output),
  })

  let kernel: string
  try {
    const [release] = await channel.request(['kernel'])
    kernel = `linux-${text(release)}`
    await channel.request(['open', planText(plan), options.seed, options.start, options.capture ? 1 : 0])
  } catch (error) {
    await end()
    throw error
  }

  return {
    kernel,
    async command(host, command, { limitS = DEFAULT_LIMIT_S, onOutput } = {}) {
      return result(await channel.request(['command', host, Math.round(limitS * 1e9), command], onOutput))
    },
    async verb(verb) {
      return result(await channel.request(['verb', ...verbFields(verb)]))
    },
    async writeFile(host, path, content) {
      await channel.request(['write', host, path, content])
    },
    async finish(): Promise<InterfaceCapture[]> {
      try {
        const [records] = await channel.request(['finish'])
        return options.capture ? capturesOf(plan, records ?? new Uint8Array()) : []
      } finally {
        await end()
      }
    },
    close: end,
  }
}

function verbFields(verb: LabVerb): (string | number)[] {
  switch (verb.verb) {
    case 'unplug':
    case 'plug':
      return [verb.verb, verb.host, verb.interface]
    case 'poweroff':
    case 'poweron':
      return [verb.verb, verb.host]
    case 'loss':
      return [verb.verb, verb.network, verb.loss]
    case 'delay':
      return [verb.verb, verb.network, Math.round(verb.delayNs)]
    case 'wait':
      return [verb.verb, Math.round(verb.waitNs)]
    case 'pause':
    case 'resume':
      // A namespace's programs could be stopped, but its part of the kernel goes on: that would be another fault.
      throw new LabRefused(`${verb.verb} ${verb.host}: a host of a shared kernel can't be paused; only sim can`)
    case 'rate':
      return [verb.verb, verb.network, Number.isFinite(verb.rateBps) ? Math.round(verb.rateBps) : 0]
  }
}
