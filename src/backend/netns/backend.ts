/** The backend `netns`: an article's hosts as namespaces of the Linux that one is on. */
import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Backend } from '#article/runner'
import { type Agent, startAgent } from './agent.ts'
import { openSession } from './session.ts'

/** What a lab can't be built without, where a Debian has it. */
const NEEDED: [program: string, paths: string[], debianPackage: string][] = [
  ['perl', ['/usr/bin/perl'], 'perl-base'],
  ['bash', ['/bin/bash'], 'bash'],
  ['ip', ['/sbin/ip', '/usr/sbin/ip', '/bin/ip'], 'iproute2'],
]

/** Undefined if labs can be built here, else one line that says why not. */
export async function netnsUnavailable(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `needs Linux, and this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'needs root (network and mount namespaces, tap devices)'
  for (const [program, paths, debianPackage] of NEEDED) {
    if (!paths.some((path) => existsSync(path))) return `needs ${program} (apt-get install ${debianPackage})`
  }
  await promisify(execFile)('modprobe', ['-a', 'overlay', 'tun']).catch(() => {}) // They may be built in.
  if (!/\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'))) return 'the kernel has no overlayfs'
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
  } catch {
    return 'no /dev/net/tun (modprobe tun)'
  }
  try {
    await promisify(execFile)('unshare', ['--mount', '--net', '--uts', '--ipc', '--pid', '--fork', 'true'])
  } catch {
    return 'this root may not make namespaces, as in a container without its privileges'
  }
  return undefined
}

/** Creates the backend. Each session is a process of its own, and all of a lab ends with it. */
export function createNetnsBackend(): Backend {
  const open = new Set<Agent>()
  return {
    name: 'netns',
    unavailable: netnsUnavailable,
    async open(plan, options) {
      const why = await netnsUnavailable()
      if (why !== undefined) throw new Error(`netns: ${why}`)
      const special = plan.hosts.find(({ hardware }) => hardware !== undefined)
      if (special !== undefined) throw new Error(`netns: ${special.name} has a machine of its own; that needs qemu`)
      const agent = startAgent()
      open.add(agent)
      return openSession(agent, plan, options, () => {
        open.delete(agent)
        return agent.close()
      })
    },
    async close() {
      await Promise.all([...open].map((agent) => agent.close()))
    },
  }
}
