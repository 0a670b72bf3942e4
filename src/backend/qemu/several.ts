/**
 * A lab whose hosts have machines of their own: each is a guest of its own, with a clock of its own. They are kept in step from
 * command to command; nothing joins them, so that such hosts have no interfaces.
 */
import type { CommandResult, LabSession } from '#article/runner'
import type { LabPlan } from '#lab/plan'

/** A pause shorter than this isn't worth a command: each begins 0.3 s after the one before it. */
const STEP_S = 0.35

/** The lab's parts: each host with a machine alone, and all others together. */
export function partsOf(plan: LabPlan): LabPlan[] {
  const special = plan.hosts.filter(({ hardware }) => hardware !== undefined)
  for (const { name, hardware } of special) {
    // A clock that counts instructions stands still or races when several processors wait for one another: the boot doesn't end.
    if (hardware!.cpus > 1) throw new Error(`qemu: ${name} has ${hardware!.cpus} CPUs; what is emulated here has one`)
  }
  if (special.length === 0 || plan.hosts.length === 1) return [plan]
  for (const { name, interfaces } of special) {
    if (interfaces.length > 0)
      throw new Error(`qemu: ${name} has a machine of its own, and is one of several: there it can have no network`)
  }
  const plain = plan.hosts.filter(({ hardware }) => hardware === undefined)
  const alone = special.map((host): LabPlan => ({ networks: [], hosts: [host] }))
  return plain.length > 0 ? [{ networks: plan.networks, hosts: plain }, ...alone] : alone
}

/** One session of several, by host. What concerns the lab itself is done in all. */
export function joinSessions(plans: LabPlan[], sessions: LabSession[]): LabSession {
  const first = sessions[0]!
  /** Seconds: where each clock stands, and where the lab's does. */
  const clocks = sessions.map(() => 0)
  let nowS = 0
  const which = (host: string) =>
    Math.max(
      0,
      plans.findIndex(({ hosts }) => hosts.some(({ name }) => name === host)),
    )
  const passed = (index: number, result: CommandResult): CommandResult => {
    clocks[index] = result.at + result.took
    nowS = Math.max(nowS, clocks[index]!)
    return result
  }
  const catchUp = async (index: number) => {
    const behindS = nowS - clocks[index]! - STEP_S
    if (behindS > 0) passed(index, await sessions[index]!.verb({ verb: 'wait', waitNs: Math.round(behindS * 1e9) }))
  }
  return {
    kernel: first.kernel,
    async command(host, command, options) {
      const index = which(host)
      await catchUp(index)
      return passed(index, await sessions[index]!.command(host, command, options))
    },
    async verb(verb) {
      const index = 'host' in verb ? which(verb.host) : 0
      await catchUp(index)
      return passed(index, await sessions[index]!.verb(verb))
    },
    writeFile: (host, path, content) => sessions[which(host)]!.writeFile(host, path, content),
    async finish() {
      const captures = []
      for (const session of sessions) captures.push(...(await session.finish()))
      return captures
    },
    async close() {
      for (const session of sessions) await session.close()
    },
  }
}
