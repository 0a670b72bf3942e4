/** The tree that every disk begins with: Debian 12's directories and links, /dev, and the files that no package brings. */

import { encodeUtf8 } from '#base/bytes'
import { type Device, type Inode, sharedInode } from './inode.ts'
import type { KernelHost } from './kernel.ts'
import type { PseudoFolder } from './pseudo.ts'
import { PseudoFolder as Folder } from './pseudo.ts'
import { TerminalNode } from './terminal-node.ts'

/** When the disk was made: thirty days before the lab begins. */
const MADE_NS = -30 * 86_400e9

const DIRECTORIES = `/boot /etc /etc/default /etc/init.d /etc/network /etc/opt /etc/profile.d /etc/skel /etc/sysctl.d /home /media
  /mnt /opt /root:700 /srv /tmp:1777 /usr /usr/bin /usr/games /usr/include /usr/lib /usr/lib64 /usr/libexec /usr/local
  /usr/local/bin /usr/local/etc /usr/local/games /usr/local/include /usr/local/lib /usr/local/sbin /usr/local/share
  /usr/local/src /usr/sbin /usr/share /usr/src /var /var/backups /var/cache /var/lib /var/lib/misc /var/local:2775
  /var/log /var/mail:2775 /var/opt /var/spool /var/tmp:1777`

const LINKS: [path: string, target: string][] = [
  ['/bin', 'usr/bin'],
  ['/sbin', 'usr/sbin'],
  ['/lib', 'usr/lib'],
  ['/lib64', 'usr/lib64'],
  ['/var/run', '/run'],
  ['/var/lock', '/run/lock'],
  ['/etc/os-release', '../usr/lib/os-release'],
  ['/etc/mtab', '../proc/self/mounts'],
  ['/etc/localtime', '/usr/share/zoneinfo/Etc/UTC'],
]

const USERS = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
games:x:5:60:games:/usr/games:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
news:x:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:x:13:13:proxy:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
backup:x:34:34:backup:/var/backups:/usr/sbin/nologin
list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`

/** base-passwd's groups: name and number. */
const GROUPS = `root 0 daemon 1 bin 2 sys 3 adm 4 tty 5 disk 6 lp 7 mail 8 news 9 uucp 10 man 12 proxy 13 kmem 15 dialout 20
  fax 21 voice 22 cdrom 24 floppy 25 tape 26 sudo 27 audio 29 dip 30 www-data 33 backup 34 operator 37 list 38 irc 39
  src 40 shadow 42 utmp 43 video 44 sasl 45 plugdev 46 staff 50 games 60 users 100 nogroup 65534`

function groupFile(): string {
  const words = GROUPS.split(/\s+/)
  let text = ''
  for (let i = 0; i < words.length; i += 2) text += `${words[i]}:x:${words[i + 1]}:\n`
  return text
}

const FILES: [path: string, content: string][] = [
  ['/etc/passwd', USERS],
  ['/etc/group', groupFile()],
  ['/etc/debian_version', '12.11\n'],
  ['/etc/issue', 'Debian GNU/Linux 12 \\n \\l\n\n'],
  ['/etc/host.conf', 'multi on\n'],
  ['/etc/shells', '# /etc/shells: valid login shells\n/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n'],
  [
    '/usr/lib/os-release',
    `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
`,
  ],
]

const DEVICES: [name: string, mode: number, major: number, minor: number][] = [
  ['null', 0o666, 1, 3],
  ['zero', 0o666, 1, 5],
  ['full', 0o666, 1, 7],
  ['random', 0o666, 1, 8],
  ['urandom', 0o666, 1, 9],
  ['tty', 0o666, 5, 0],
]

const DEV_LINKS: [name: string, target: string][] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
]

/** Makes a tree of its own for one image. */
export function baseTree(proc: PseudoFolder, sys: PseudoFolder): Inode {
  const root = directory(0o755, 'disk')
  const at = (path: string): { parent: Inode; name: string } => {
    const names = path.split('/').filter((name) => name !== '')
    const name = names.pop()!
    let parent = root
    for (const one of names) parent = parent.entries!.get(one) as Inode
    return { parent, name }
  }
  const put = (path: string, inode: Inode) => {
    const { parent, name } = at(path)
    inode.mtimeNs = MADE_NS
    parent.entries!.set(name, inode)
    return inode
  }
  for (const item of DIRECTORIES.split(/\s+/)) {
    const [path, mode] = item.split(':')
    put(path!, directory(mode ? Number.parseInt(mode, 8) : 0o755, 'disk'))
  }
  for (const [path, target] of LINKS) {
    const link = sharedInode('symlink', 0o777, 'disk')
    link.target = target
    put(path, link)
  }
  for (const [path, content] of FILES) {
    const file = put(path, sharedInode('file', 0o644, 'disk'))
    file.data = encodeUtf8(content)
    file.size = file.data.length
  }
  const hostname = put('/etc/hostname', sharedInode('file', 0o644, 'disk'))
  hostname.generate = (host: KernelHost) => `${host.name}\n`
  const hosts = put('/etc/hosts', sharedInode('file', 0o644, 'disk'))
  hosts.generate = (host: KernelHost) => `127.0.0.1\tlocalhost\n127.0.1.1\t${host.name}\n`

  put('/run', directory(0o755, 'run'))
  put('/run/lock', directory(0o1777, 'run'))
  put('/dev', directory(0o755, 'dev'))
  for (const [name, mode, major, minor] of DEVICES) {
    put(`/dev/${name}`, sharedInode('char', mode, 'dev')).rdev = [major, minor]
  }
  for (const [name, target] of DEV_LINKS) put(`/dev/${name}`, sharedInode('symlink', 0o777, 'dev')).target = target
  const shm = directory(0o1777, 'dev')
  put('/dev/shm', shm)
  const dev = root.entries!.get('dev') as Inode
  dev.entries!.set(
    'pts',
    new Folder('/dev/pts', {
      list: (host) => [...((host as KernelHost).runningMachine?.terminals.keys() ?? [])].map(String),
      lookup(host, name) {
        const terminal = (host as KernelHost).runningMachine?.terminals.get(Number(name))
        // A node of a class of its own: it can be opened.
        return terminal && String(terminal.number) === name ? new TerminalNode(terminal) : undefined
      },
    }),
  )
  root.entries!.set('proc', proc)
  root.entries!.set('sys', sys)
  return root
}

function directory(mode: number, device: Device): Inode {
  const inode = sharedInode('directory', mode, device)
  inode.mtimeNs = MADE_NS
  return inode
}
