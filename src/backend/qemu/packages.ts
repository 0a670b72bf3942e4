/**
 * The machine's own installed Debian packages: which an article needs, what they depend on, and their files. All is
 * read from dpkg's database in /var/lib/dpkg; nothing is downloaded.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What QEMU's guest can't be made without. */
export const REQUIRED_PACKAGES = [
  'base-files',
  'base-passwd',
  'bash',
  'coreutils',
  'debianutils',
  'findutils',
  'grep',
  'hostname',
  'iproute2',
  'iputils-arping',
  'iputils-ping',
  'kmod',
  'mount',
  'libc-bin',
  'net-tools',
  'netbase',
  'perl-base',
  'procps',
  'sed',
  'tcpdump',
  'ethtool',
  'util-linux',
]

/** What articles may use as well: in the guest if it is on the machine. */
const WELCOME_PACKAGES = [
  'apache2-utils bc bind9-dnsutils bind9-host bridge-utils bsdextrautils bsdutils conntrack curl dash',
  'diffutils dnsmasq-base gawk haproxy heartbeat hping3 init-system-helpers iperf3 ipset iptables',
  'iputils-tracepath ipvsadm jq keepalived ldap-utils ldirectord less libc-l10n login lsof mawk',
  'mtr-tiny ncurses-base ncurses-bin netcat-openbsd nftables nginx-light openvswitch-switch pacemaker',
  'pciutils psmisc python3 radvd slapd snmp snmpd socat strace sysvinit-utils tar time traceroute vlan wrk',
].flatMap((line) => line.split(' '))

/** One installed package. */
export interface InstalledPackage {
  name: string
  version: string
  architecture: string
  /** For each dependency, the packages that would do. */
  needs: string[][]
  provides: string[]
}

/** dpkg's status file, only what is fully installed. */
export function parseStatus(text: string): Map<string, InstalledPackage> {
  const packages = new Map<string, InstalledPackage>()
  for (const paragraph of text.split('\n\n')) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1] ?? ''
    if (field('Status') !== 'install ok installed') continue
    const names = (list: string, separator: RegExp) =>
      list
        .split(separator)
        .map((word) => word.trim().replace(/[ :(].*$/, ''))
        .filter((word) => word !== '')
    const needs = [field('Pre-Depends'), field('Depends')]
      .flatMap((list) => list.split(','))
      .map((choice) => names(choice, /\|/))
      .filter((choice) => choice.length > 0)
    const one = {
      name: field('Package'),
      version: field('Version'),
      architecture: field('Architecture'),
      needs,
      provides: names(field('Provides'), /,/),
    }
    if (!packages.has(one.name)) packages.set(one.name, one)
  }
  return packages
}

/** The given packages and all that they depend on, sorted by name; what isn't installed is left out. */
export function closureOf(names: string[], installed: Map<string, InstalledPackage>): InstalledPackage[] {
  const providers = new Map<string, InstalledPackage>()
  for (const one of installed.values()) for (const name of one.provides) providers.set(name, one)
  const found = new Map<string, InstalledPackage>()
  const waiting = [...names]
  while (waiting.length > 0) {
    const name = waiting.pop()!
    const one = installed.get(name) ?? providers.get(name)
    if (one === undefined || found.has(one.name)) continue
    found.set(one.name, one)
    for (const choice of one.needs) {
      const chosen = choice.find((each) => installed.has(each)) ?? choice.find((each) => providers.has(each))
      if (chosen !== undefined) waiting.push(chosen)
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

const DPKG = '/var/lib/dpkg'

/** The packages that the guest gets from this machine, and the required ones that aren't there. */
export function guestPackages(): { packages: InstalledPackage[]; missing: string[] } {
  const installed = parseStatus(existsSync(`${DPKG}/status`) ? readFileSync(`${DPKG}/status`, 'utf8') : '')
  return {
    packages: closureOf([...REQUIRED_PACKAGES, ...WELCOME_PACKAGES], installed),
    missing: REQUIRED_PACKAGES.filter((name) => !installed.has(name)),
  }
}

/** Nobody reads these in a guest. */
const LEFT_OUT =
  /^\/usr\/share\/(doc|man|info|locale|lintian|bug|bash-completion|zsh|fish|icons|applications|pixmaps)\b/

/** The files of packages, alternatives' links included, as they are named on the machine, sorted. */
export function filesOf(packages: InstalledPackage[]): string[] {
  const files = new Set<string>()
  for (const { name, architecture } of packages) {
    const list = [`${DPKG}/info/${name}.list`, `${DPKG}/info/${name}:${architecture}.list`].find((path) =>
      existsSync(path),
    )
    if (list === undefined) continue
    for (const path of readFileSync(list, 'utf8').split('\n')) {
      if (path.startsWith('/') && path !== '/.' && !LEFT_OUT.test(path)) addFile(files, path)
    }
  }
  for (const link of alternatives()) {
    const choice = join('/etc/alternatives', link.name)
    if (!existsSync(choice) || !files.has(realpathSync(choice))) continue
    files.add(choice)
    addFile(files, link.path)
  }
  return [...files].sort()
}

/** Names a file as it is under merged /usr, and only if it exists: a package's list knows /bin/cat. */
function addFile(files: Set<string>, path: string): void {
  try {
    lstatSync(path)
    files.add(join(realpathSync(dirname(path)), path.slice(path.lastIndexOf('/') + 1)))
  } catch {
    // Taken away by the administrator, or diverted.
  }
}

/** update-alternatives' links: `awk` and /usr/bin/awk. No package owns them. */
function alternatives(): { name: string; path: string }[] {
  const found: { name: string; path: string }[] = []
  const folder = `${DPKG}/alternatives`
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    // `auto` or `manual`, the link, then slaves' names and links by turns up to an empty line.
    const [, path, ...slaves] = readFileSync(join(folder, name), 'utf8').split('\n\n')[0]!.split('\n')
    const links = [[name, path!], ...slaves.flatMap((slave, i) => (i % 2 === 0 ? [[slave, slaves[i + 1]!]] : []))]
    for (const [linkName, linkPath] of links) {
      if (LEFT_OUT.test(linkPath!) || !existsSync(linkPath!)) continue
      if (lstatSync(linkPath!).isSymbolicLink() && readlinkSync(linkPath!) === join('/etc/alternatives', linkName!)) {
        found.push({ name: linkName!, path: linkPath! })
      }
    }
  }
  return found
}
