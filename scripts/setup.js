/**
 * What start, test, build and bench need before they can begin: the packages of package-lock.json, and, for those who
 * are root on Debian, the Debian packages that a job uses. Runs on plain Node, before anything is installed.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Installs the packages of package-lock.json, unless they are there as it says. */
export function installPackages() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const stamp = join(root, 'node_modules', '.kaidoku-lock')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  say('installing packages (npm install)')
  const npm = process.env.npm_execpath
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  // Not `npm ci`: it wants every platform's optional packages in the lock file, also where a registry has only one's.
  const options = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  execFileSync(command, [...first, ...options], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  writeFileSync(stamp, wanted)
}

/** Debian's packages for a job, and a file by which each is known to be there. */
const DEBIAN = {
  pages: { chromium: '/usr/bin/chromium', 'fonts-noto-cjk': '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc' },
  netns: {
    iproute2: '/usr/sbin/ip',
    tcpdump: '/usr/bin/tcpdump',
    'iputils-ping': '/usr/bin/ping',
    'iputils-arping': '/usr/bin/arping',
    'net-tools': '/usr/sbin/arp',
    ethtool: '/usr/sbin/ethtool',
    procps: '/usr/bin/ps',
    psmisc: '/usr/bin/killall',
    'util-linux': '/usr/bin/unshare',
    iptables: '/usr/sbin/iptables',
    nftables: '/usr/sbin/nft',
    ipset: '/usr/sbin/ipset',
    conntrack: '/usr/sbin/conntrack',
    hping3: '/usr/sbin/hping3',
    socat: '/usr/bin/socat',
    'netcat-openbsd': '/usr/bin/nc.openbsd',
    curl: '/usr/bin/curl',
    'bind9-dnsutils': '/usr/bin/dig',
    'bind9-host': '/usr/bin/host',
    'dnsmasq-base': '/usr/sbin/dnsmasq',
    python3: '/usr/bin/python3',
    iperf3: '/usr/bin/iperf3',
    'apache2-utils': '/usr/bin/ab',
    'mtr-tiny': '/usr/bin/mtr',
    traceroute: '/usr/sbin/traceroute',
    'iputils-tracepath': '/usr/bin/tracepath',
    wrk: '/usr/bin/wrk',
  },
  store: { postgresql: '/usr/lib/postgresql' },
  qemu: {
    'qemu-system-x86': '/usr/bin/qemu-system-x86_64',
    pciutils: '/usr/bin/lspci',
    'linux-image-amd64': '/usr/share/doc/linux-image-amd64/copyright',
    e2fsprogs: '/usr/sbin/mke2fs',
    kmod: '/usr/bin/kmod',
    mount: '/usr/bin/mount',
    netbase: '/etc/protocols',
    'xz-utils': '/usr/bin/xz',
    cpio: '/usr/bin/cpio',
  },
}

let updated = false

/**
 * Installs what jobs need, if this is root on Debian. What can't be had is said in one line, and the jobs skip.
 * @param {(keyof typeof DEBIAN)[]} jobs
 */
export function installDebianPackages(jobs) {
  const missing = jobs.flatMap((job) =>
    Object.entries(DEBIAN[job])
      .filter(([, file]) => !existsSync(file))
      .map(([name]) => name),
  )
  if (missing.length === 0) return
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(`not installed, and this is not root on Debian: ${missing.join(' ')}`)
    return
  }
  say(`installing Debian packages: ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', '-o', 'Dpkg::Use-Pty=0', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] })
      .status === 0
  if (!updated) apt('update')
  updated = true
  if (!apt('install', '-y', '--no-install-recommends', ...missing)) say(`could not be installed: ${missing.join(' ')}`)
}

/** One line for whoever watches. */
export function say(text) {
  process.stderr.write(`kaidoku: ${text}\n`)
}

/** A folder for what can be made again. */
export function cacheFolder(name) {
  const folder = join(root, 'node_modules', '.cache', 'kaidoku', name)
  mkdirSync(folder, { recursive: true })
  return folder
}
