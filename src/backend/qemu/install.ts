/** Fetches what a machine is made of, on a Debian where we may: for the project's own test script. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { missingPackages } from './backend.ts'

/**
 * Installs the Debian packages that are missing with apt-get, telling what it does. Undefined if a machine can then be
 * made, else one line that says why not.
 */
export async function installQemu(print: (line: string) => void = console.error): Promise<string | undefined> {
  if (!existsSync('/var/lib/dpkg/status') || !existsSync('/usr/bin/apt-get')) return 'not on a Debian'
  const missing = missingPackages()
  if (missing.length === 0) return undefined
  if (process.getuid?.() !== 0) return `not root; needs apt-get install ${missing.join(' ')}`
  const install = ['install', '-y', '--no-install-recommends', ...missing]
  print(`qemu: apt-get install ${missing.join(' ')}`)
  // The list of packages may be as old as the machine, or not there yet.
  if (!(await aptGet(install))) {
    if (!(await aptGet(['update']))) return 'apt-get update failed'
    if (!(await aptGet(install))) return `apt-get install ${missing.join(' ')} failed`
  }
  const left = missingPackages()
  return left.length === 0 ? undefined : `still missing after apt-get: ${left.join(' ')}`
}

function aptGet(words: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('apt-get', ['-q', ...words], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
    child.on('error', () => resolve(false))
    child.on('close', (status) => resolve(status === 0))
  })
}
