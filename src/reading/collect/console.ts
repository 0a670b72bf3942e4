/**
 * Console blocks: where a page shows prompts, what was typed is told from what was printed, so that it can be run again.
 * `#` alone is a prompt only where the block isn't a script, and what follows it looks like a command.
 */

export interface ConsoleCommand {
  /** As written, without the blank behind it. */
  prompt: string
  /** Of the prompt, if it says so. */
  user: string | undefined
  host: string | undefined
  root: boolean
  /** Continued lines and here-documents joined by line ends. */
  command: string
  output: string
}

export interface ConsoleBlock {
  /** Which of the page's code blocks, from 0. */
  index: number
  /** What comes before the first prompt. */
  before: string
  commands: ConsoleCommand[]
}

interface Prompt {
  prompt: string
  user: string | undefined
  host: string | undefined
  root: boolean
  style: 'bracket' | 'user' | 'host' | 'bare'
  command: string
}

// Each begins a line; none can match the same text in two ways.
const BRACKET = /^(\[([a-z_][\w-]{0,31})@([\w.-]{1,64})[: ]([^\]\n]{0,100})\]\s?([$#]))(?:\s+(.*))?$/u
const USER = /^(([a-z_][\w-]{0,31})@([\w.-]{1,64})(?::[^\s$#]{0,100}|\s~)?\s?([$#]))(?:\s+(.*))?$/u
const HOST = /^(([a-z][\w-]{0,31})(?::[^\s$#]{1,100})?([$#]))(?:\s+(.*))?$/u
const BARE = /^(([$#%]))\s+(\S.*)$/u
const SCRIPTS =
  /^(bash|sh|shell|zsh|makefile|dockerfile|yaml|yml|toml|ini|python|py|ruby|rb|perl|nginx|conf|apache|c|cpp|diff)$/u
const COMMANDS = new Set(
  'alias apk apt apt-get arp arping arptables awk bash brctl bridge cat cd chmod chown conntrack cp crm curl cut date dd df dig dmesg dnf docker dpkg du echo ethtool exit export find for free ftp gcc git go grep gunzip gzip hping3 hexdump host hostname ifconfig ifdown ifup insmod ip ip6tables iperf iperf3 ipset iptables iptables-save ipvsadm iw journalctl keepalived kill killall kubectl last ldconfig ldd ln ls lsmod lsof lspci lsusb make man mkdir mkfs modinfo modprobe mount mtr mv nc ncat netstat nft nmap nohup node npm nslookup openssl perf ping ping6 pip podman ps python python3 rm rmmod route rpm rsync screen sed service setpci sh sleep snmpwalk sort ss ssh strace su sudo sysctl systemctl tail tar taskset tc tcpdump tee telnet time top touch traceroute traceroute6 tracepath tshark uname umount unzip uptime useradd vi vim virsh vmstat vtysh watch wc wget which while xargs yum zcat zypper'.split(
    ' ',
  ),
)

function promptOf(line: string, script: boolean): Prompt | undefined {
  for (const [style, pattern] of [
    ['bracket', BRACKET],
    ['user', USER],
  ] as const) {
    const match = pattern.exec(line)
    if (!match) continue
    const sign = style === 'bracket' ? match[5] : match[4]
    const command = (style === 'bracket' ? match[6] : match[5]) ?? ''
    return {
      prompt: match[1]!,
      user: match[2],
      host: match[3],
      root: sign === '#' || match[2] === 'root',
      style,
      command,
    }
  }
  const host = HOST.exec(line)
  if (host && looksLikeCommand(host[4] ?? ''))
    return { prompt: host[1]!, user: undefined, host: host[2], root: host[3] === '#', style: 'host', command: host[4]! }
  const bare = BARE.exec(line)
  if (!bare) return undefined
  const [, prompt, sign, command] = bare
  // A comment begins with `#` too; a percentage with `%`.
  if (sign !== '$' && (script || !looksLikeCommand(command!))) return undefined
  return { prompt: prompt!, user: undefined, host: undefined, root: sign === '#', style: 'bare', command: command! }
}

function looksLikeCommand(text: string): boolean {
  const words = text.replace(/^(?:[A-Z_][A-Z0-9_]*=\S*\s+)+/u, '').split(/\s+/u)
  const name = words[0] ?? ''
  return COMMANDS.has(name.replace(/^.*\//u, '')) || /^(\.{0,2}\/|~\/)[\w./-]+$/u.test(name)
}

/** Tells commands from output in one code block; undefined if it shows no console. */
export function parseConsole(text: string, language: string, index = 0): ConsoleBlock | undefined {
  if (text.length > 200_000) return undefined
  const lines = text.replace(/\n+$/u, '').split('\n')
  const script = SCRIPTS.test(language)
  const commands: ConsoleCommand[] = []
  const before: string[] = []
  let style: Prompt['style'] | undefined
  for (let i = 0; i < lines.length; i++) {
    const found = promptOf(lines[i]!, script)
    // Once hosts have names, a bare sign is something that was printed.
    const counts = found && (style === undefined || found.style === style || found.style !== 'bare')
    if (!found || !counts) {
      const last = commands.at(-1)
      if (last) last.output += `${lines[i]}\n`
      else before.push(lines[i]!)
      continue
    }
    style = found.style
    if (found.command.trim() === '') continue // A prompt where nothing was typed.
    const typed = [found.command]
    while (/(^|[^\\])(\\\\)*\\$/u.test(typed.at(-1)!) && i + 1 < lines.length)
      typed.push(lines[++i]!.replace(/^> /u, ''))
    const word = /<<-?\s*(["']?)([A-Za-z_]\w*)\1/u.exec(found.command)?.[2]
    if (word && lines.slice(i + 1).some((line) => line.replace(/^> ?/u, '').trim() === word)) {
      do typed.push(lines[++i]!.replace(/^> ?/u, ''))
      while (typed.at(-1)!.trim() !== word)
    }
    const { prompt, user, host, root } = found
    commands.push({ prompt, user, host, root, command: typed.join('\n'), output: '' })
  }
  return commands.length === 0 ? undefined : { index, before: before.join('\n'), commands }
}
