/**
 * What the machine boots: kernel, initial RAM disk and root image, made of what is installed here and kept in a cache
 * folder until a package, the kernel or one of our own files changes.
 */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { agentDirectory } from '#backend/netns'
import { type ArchiveEntry, cpio } from './cpio.ts'
import { filesOf, guestPackages } from './packages.ts'
import { extractKernel } from './vmlinux.ts'

const run = promisify(execFile)

/** The files of a machine that can be booted. */
export interface MachineFiles {
  kernel: string
  initrd: string
  root: string
  rootBytes: number
  /** `uname -r` of the kernel. */
  release: string
}

/** The newest installed Debian 6.1 kernel's release, if there is one with its modules. */
export function kernelRelease(): string | undefined {
  const releases = (existsSync('/boot') ? readdirSync('/boot') : [])
    .map((name) => /^vmlinuz-(6\.1\..*-amd64)$/.exec(name)?.[1])
    .filter((release) => release !== undefined && existsSync(`/lib/modules/${release}/modules.dep`))
  return releases.sort((a, b) => a!.localeCompare(b!, 'en', { numeric: true })).at(-1)
}

/** $KAIDOKU_CACHE, $XDG_CACHE_HOME/kaidoku, or ~/.cache/kaidoku. */
export function cacheDirectory(): string {
  const { KAIDOKU_CACHE, XDG_CACHE_HOME } = process.env
  return KAIDOKU_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kaidoku')
}

/** To be counted up when the root image is made in another way. */
const RECIPE = '4'

/** What the kernel and the root image are made of, as a name for them. */
function rootKey(release: string): string {
  const versions = guestPackages().packages.map(({ name, version }) => `${name} ${version}\n`)
  return hash(RECIPE, ...versions, release, readFileSync(`/boot/vmlinuz-${release}`), ...Object.values(accounts()))
}

/** Whether the root image is in the cache. */
export function isPrepared(): boolean {
  const release = kernelRelease()
  return release !== undefined && existsSync(join(cacheDirectory(), `root-${rootKey(release)}`))
}

/** What this process is making at the moment, by path. */
const making = new Map<string, Promise<void>>()

async function makeFile(path: string, how: (path: string) => Promise<void> | void): Promise<void> {
  if (existsSync(path)) return
  const unfinished = `${path}.${process.pid}`
  await how(unfinished)
  renameSync(unfinished, path)
}

/** Makes what isn't in the cache yet, and drops what the cache holds of older packages. */
export async function prepareMachine(onProgress: (text: string) => void = () => {}): Promise<MachineFiles> {
  const release = kernelRelease()!
  const key = rootKey(release)
  const initrd = cpio(initialFiles(release, ownFiles()))
  const cache = cacheDirectory()
  mkdirSync(cache, { recursive: true })
  const files = {
    kernel: join(cache, `vmlinux-${key}`),
    initrd: join(cache, `initrd-${hash(initrd)}`),
    root: join(cache, `root-${key}`),
    release,
  }
  // Written beside and renamed: two processes that start at once both end with a whole file; within one, it is made once.
  const make = (path: string, how: (path: string) => Promise<void> | void): Promise<void> => {
    let made = making.get(path)
    if (!made) {
      made = makeFile(path, how).finally(() => making.delete(path))
      making.set(path, made)
    }
    return made
  }
  await make(files.kernel, (path) => writeFileSync(path, extractKernel(readFileSync(`/boot/vmlinuz-${release}`))))
  await make(files.initrd, (path) => writeFileSync(path, initrd))
  await make(files.root, async (path) => {
    const { packages } = guestPackages()
    onProgress(`qemu: making the root image of ${packages.length} packages`)
    await makeRoot(path, filesOf(packages), release)
  })
  const kept = new Set(Object.values(files))
  for (const name of readdirSync(cache)) {
    const path = join(cache, name)
    if (/^(vmlinux|initrd|root)-[0-9a-f]+$/.test(name) && !kept.has(path)) rmSync(path, { force: true })
  }
  return { ...files, rootBytes: lstatSync(files.root).size }
}

function hash(...parts: (string | Uint8Array)[]): string {
  const sum = createHash('sha256')
  for (const part of parts) sum.update(part).update('\0')
  return sum.digest('hex').slice(0, 16)
}

/** The agent and the guest's own programs. */
function ownFiles(): { path: string; content: string }[] {
  const agent = agentDirectory()
  const guest = guestDirectory()
  return [
    ...readdirSync(agent)
      .filter((name) => name.endsWith('.pm'))
      .map((name) => ({ path: `agent/${name}`, content: readFileSync(join(agent, name), 'utf8') })),
    { path: 'agent/guest.pl', content: readFileSync(join(guest, 'guest.pl'), 'utf8') },
    { path: 'init', content: readFileSync(join(guest, 'init.pl'), 'utf8') },
  ].sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Beside this file, or in the package that a bundle of it is in. */
function guestDirectory(): string {
  const beside = join(dirname(fileURLToPath(import.meta.url)), 'guest')
  return existsSync(beside) ? beside : join(agentDirectory(), '../../qemu/guest')
}

/** Modules with what they need, needed first. */
export function moduleOrder(names: string[], dependencies: string): string[] {
  const needs = new Map<string, string[]>()
  const paths = new Map<string, string>()
  for (const line of dependencies.split('\n')) {
    const [path, rest] = line.split(':')
    if (path === undefined || rest === undefined) continue
    needs.set(path, rest.split(' ').filter(Boolean))
    paths.set(path.replace(/^.*\//, '').replace(/\.ko.*$/, ''), path)
  }
  const order: string[] = []
  const visit = (path: string) => {
    if (order.includes(path)) return
    for (const each of needs.get(path) ?? []) visit(each)
    order.push(path)
  }
  for (const name of names) {
    const path = paths.get(name)
    if (path !== undefined) visit(path) // Else it is built in.
  }
  return order
}

/**
 * A module without the signature after it: checking one takes the guest a tenth of a second, and these are as they were
 * installed. @see Linux 6.1 include/linux/module_signature.h
 */
export function withoutSignature(module: Buffer): Buffer {
  const MARK = '~Module signature appended~\n'
  const markAt = module.length - MARK.length
  if (module.toString('latin1', markAt) !== MARK) return module
  return module.subarray(0, markAt - 12 - module.readUInt32BE(markAt - 4))
}

/** nfit comes last of the memory's modules: then its devices find their drivers. */
const BOOT_MODULES = ['crc32c_generic', 'ext4', 'nd_pmem', 'nfit', 'overlay', 'tun']

function initialFiles(release: string, ours: { path: string; content: string }[]): ArchiveEntry[] {
  const entries: ArchiveEntry[] = []
  const folders = new Set<string>()
  const folder = (path: string) => {
    if (path === '.' || folders.has(path)) return
    folder(dirname(path))
    folders.add(path)
    entries.push({ path })
  }
  const file = (path: string, content: Uint8Array, executable = false) => {
    folder(dirname(path))
    entries.push({ path, content, executable })
  }
  for (const path of ['dev', 'proc', 'sys', 'root', 'agent', 'modules']) folder(path)
  for (const { path, content } of ours) file(path, Buffer.from(content), path === 'init')
  const libraries = execFileSync('ldd', ['/usr/bin/perl'], { encoding: 'utf8' }).matchAll(/\/\S+/g)
  for (const [path] of libraries) file(path.slice(1), readFileSync(path), true)
  file('usr/bin/perl', readFileSync('/usr/bin/perl'), true)
  const modulesOfPerl = '/usr/lib/x86_64-linux-gnu/perl-base'
  for (const name of ['strict.pm', 'warnings.pm', 'warnings/register.pm', 'constant.pm', 'integer.pm']) {
    file(join(modulesOfPerl, name).slice(1), readFileSync(join(modulesOfPerl, name)))
  }
  const modules = `/lib/modules/${release}`
  const order = moduleOrder(BOOT_MODULES, readFileSync(join(modules, 'modules.dep'), 'utf8'))
  const flat = order.map((path) => path.replace(/^.*\//, ''))
  order.forEach((path, i) => {
    file(`modules/${flat[i]}`, withoutSignature(readFileSync(join(modules, path))))
  })
  file('modules/order', Buffer.from(flat.map((name) => `${name}\n`).join('')))
  return entries
}

/** Virtual devices and protocols, and drivers of what a lab's `machine:` may have; none of other hardware. */
const ARTICLE_MODULES =
  /^kernel\/(drivers\/(net\/ethernet\/intel\/e1000|net\/virtio_net|virtio\/virtio_pci|ata\/(ata_piix|ahci)\.)|net\/(?!(bluetooth|mac80211|wireless|nfc|rfkill|sunrpc|ceph|rxrpc|smc|tipc|rds|ieee|can))|drivers\/net\/([^/]+\.ko|bonding|team|ipvlan|vxlan|wireguard)|lib\/ts_|fs\/overlayfs)/

/** No package owns these: pam-auth-update writes them. */
const PAM_FILES = ['account', 'auth', 'password', 'session', 'session-noninteractive'].map((what) => `common-${what}`)

/** The accounts that Debian and its packages made, none of them with a password; those of people stay out. */
export function accounts(
  passwd = readFileSync('/etc/passwd', 'utf8'),
  group = readFileSync('/etc/group', 'utf8'),
): Record<'passwd' | 'group' | 'shadow', string> {
  const ofSystem = (text: string) =>
    text
      .split('\n')
      .map((line) => line.split(':'))
      .filter(([, , id]) => id !== undefined && (Number(id) < 1000 || Number(id) === 65534))
  const users = ofSystem(passwd).map((fields) => [fields[0], 'x', ...fields.slice(2)])
  const groups = ofSystem(group).map(([name, , id]) => [name, 'x', id, ''])
  const lines = (rows: (string | undefined)[][]) => rows.map((row) => `${row.join(':')}\n`).join('')
  return {
    passwd: lines(users),
    group: lines(groups),
    shadow: lines(users.map(([name]) => [name, '*:20454:0:99999:7:::'])),
  }
}

async function makeRoot(path: string, files: string[], release: string): Promise<void> {
  const staging = mkdtempSync(`${path}-`)
  try {
    const list = join(staging, 'list')
    const root = join(staging, 'root')
    mkdirSync(root)
    for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
      if (existsSync(`/${name}`) && lstatSync(`/${name}`).isSymbolicLink()) symlinkSync(`usr/${name}`, join(root, name))
    }
    writeFileSync(list, files.map((file) => `.${file}\0`).join(''))
    const archive = join(staging, 'tar')
    await run('tar', ['-C', '/', '-cf', archive, '--no-recursion', '--null', '-T', list])
    await run('tar', ['-C', root, '-xpf', archive])
    rmSync(archive)
    for (const name of ['dev', 'proc', 'sys', 'run', 'tmp', 'root', 'etc/pam.d', 'var/tmp', 'var/lib/misc']) {
      mkdirSync(join(root, name), { recursive: true })
    }
    copyModules(root, release)
    for (const [name, content] of Object.entries(accounts())) writeFileSync(join(root, 'etc', name), content)
    for (const name of PAM_FILES)
      if (existsSync(`/etc/pam.d/${name}`)) cpSync(`/etc/pam.d/${name}`, join(root, 'etc/pam.d', name))
    await run('/sbin/ldconfig', ['-r', root])
    const { stdout } = await run('du', ['-sk', '--apparent-size', root])
    const megabytes = Math.ceil((Number.parseInt(stdout, 10) / 1024) * 1.15) + 24
    writeFileSync(path, '')
    truncateSync(path, Math.ceil(megabytes / 2) * 2 * 2 ** 20)
    const uuid = '6b616964-6f6b-7500-8000-000000000001'
    await run(
      '/sbin/mkfs.ext4',
      [
        '-q',
        '-F',
        '-b',
        '4096',
        '-O',
        '^has_journal',
        '-U',
        uuid,
        '-E',
        `hash_seed=${uuid}`,
        '-m',
        '0',
        '-d',
        root,
        path,
      ],
      { env: { ...process.env, E2FSPROGS_FAKE_TIME: '1767225600' } },
    )
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

function copyModules(root: string, release: string): void {
  const from = `/lib/modules/${release}`
  const to = join(root, 'usr/lib/modules', release)
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from)) {
    if (name.startsWith('modules.')) cpSync(join(from, name), join(to, name))
  }
  const dependencies = readFileSync(join(from, 'modules.dep'), 'utf8')
  const names = dependencies
    .split('\n')
    .map((line) => line.replace(/:.*$/, ''))
    .filter((path) => ARTICLE_MODULES.test(path))
    .map((path) => path.replace(/^.*\//, '').replace(/\.ko.*$/, ''))
  for (const path of moduleOrder(names, dependencies)) {
    mkdirSync(dirname(join(to, path)), { recursive: true })
    cpSync(join(from, path), join(to, path))
  }
}
