/** A whole lab as an article has it: N hosts of a plan on one network, with the full Debian image, and a second of life. */
import { SECOND } from '#base/sim'
import { createDebian12 } from '#lab/catalogue'
import { parseLab } from '#lab/plan'
import { World } from '#lab/world'

/** Runs the workload; memory is that of the whole process. */
export function hosts(options: Record<string, string>): Record<string, number> {
  const count = Number(options['hosts'] ?? 100)
  const lines = ['networks: { lan: {} }', 'hosts:']
  for (let i = 0; i < count; i++) lines.push(`  h${i}: { eth0: lan 10.1.${i >> 8}.${i & 255}/16 }`)
  const { plan, mistakes } = parseLab(`${lines.join('\n').replace('10.1.0.0/', '10.1.255.1/')}\n`, 'bench.lab.yaml')
  if (mistakes[0]) throw mistakes[0]
  const before = process.cpuUsage()
  const world = new World(plan, { seed: 1, startS: 1_767_225_600, image: createDebian12() })
  world.sim.run(SECOND)
  const used = process.cpuUsage(before)
  return {
    hosts: world.hosts.size,
    cpu_s: (used.user + used.system) / 1e6,
    rss_kb: Math.round(process.memoryUsage().rss / 1024),
    peak_kb: process.resourceUsage().maxRSS,
  }
}
