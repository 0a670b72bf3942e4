/**
 * Preserved pages: cleaned again before they are shown, and their transcripts made runnable. A page knows nothing of our labs:
 * its reader chooses one, and what the page's `#` and `$` were typed on becomes a host of that lab.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Element, Nodes, Root } from 'hast'
import { fromHtml } from 'hast-util-from-html'
import { defaultSchema, sanitize } from 'hast-util-sanitize'
import { toHtml } from 'hast-util-to-html'
import { parseArticle } from '#article/format'
import { isArticleName, parseArticleFileName } from '#reading/library'
import { beside } from '#reading/store'
import type { ArticleView } from '$lib/article.ts'
import type { EntryView } from '$lib/views.ts'
import { viewBlock } from '$lib/view.ts'
import { drawLab } from './picture.ts'
import { piecesOf } from './render.ts'
import { articlesFolder } from './room.ts'

interface Command {
  /** As the page names it; empty if it doesn't. */
  host: string
  prompt: '#' | '$'
  command: string
  output: string[]
}

// `[root@director ~]# `, `root@director:~# `, `director# `, `# `, `$ `.
const PROMPT =
  /^(?:\[(?:[\w.-]+@)?([\w.-]+)(?:[ :][^\]\n]{0,80})?\]|(?:[\w.-]+@)([\w.-]+)(?::[^\s#$%]{0,80})?|([a-zA-Z][\w-]{0,30}))?\s?([#$%])\s+(\S.*)$/u
// What is written as `# ...` may be a comment; what begins with one of these is a command.
const PROGRAMS =
  /^(?:sudo\s+)?(?:ip|ping6?|arping|arp|ipvsadm|iptables(?:-\w+)?|ip6tables(?:-\w+)?|nft|ipset|conntrack|sysctl|cat|echo|ls|tcpdump|ss|netstat|route|ifconfig|brctl|bridge|tc|ethtool|traceroute6?|tracepath|mtr|dig|nslookup|host|curl|wget|nc|ncat|socat|hping3|iperf3?|ab|wrk|keepalived|ldirectord|heartbeat|dnsmasq|systemctl|service|modprobe|lsmod|lspci|setpci|dmesg|ps|kill|grep|awk|sed|cd|for|while|if|export|uname|hostname|sleep|head|tail|tee|watch|\.{0,2}\/\S+)(?:\s|$)/u

/** What a transcript says was typed, and what came of it; undefined if it isn't one. */
export function parseTranscript(text: string): Command[] | undefined {
  const commands: Command[] = []
  const lines = text.replace(/\n+$/u, '').split('\n').slice(0, 2000)
  for (const line of lines) {
    const match = PROMPT.exec(line)
    const host = match && (match[1] ?? match[2] ?? match[3] ?? '')
    const isCommand = match && (host !== '' || match[4] === '$' || PROGRAMS.test(match[5]!))
    if (match && isCommand) {
      const command = match[5]!.replace(/^sudo\s+/u, '').trimEnd()
      commands.push({ host: host ?? '', prompt: match[4] === '$' ? '$' : '#', command, output: [] })
    } else if (commands.length > 0) {
      const last = commands.at(-1)!
      const more = /^>\s?(.*)$/u.exec(line)
      // A line that goes on: the shell asks with `> `, or the page wraps it.
      if (last.output.length === 0 && /\\$/u.test(last.command)) last.command += `\n${more?.[1] ?? line}`
      else last.output.push(line)
    } else if (line.trim() !== '') return undefined
  }
  if (commands.length === 0 || !commands.some(({ command }) => PROGRAMS.test(command))) return undefined
  for (const command of commands) while (command.output.at(-1)?.trim() === '') command.output.pop()
  return commands
}

const textOf = (node: Nodes): string =>
  node.type === 'text' ? node.value : 'children' in node ? node.children.map((child) => textOf(child)).join('') : ''

function* pres(node: Nodes): Generator<Element> {
  if (node.type === 'element' && node.tagName === 'pre') yield node
  else if ('children' in node) for (const child of node.children) yield* pres(child)
}

const MATHML =
  'math maction menclose merror mfenced mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none semantics annotation'

// Names of the page's own could take those of its frame; what it says of classes is of no use here.
const schema = {
  ...defaultSchema,
  clobberPrefix: 'p-',
  tagNames: [...(defaultSchema.tagNames ?? []), 'figure', 'figcaption', 'mark', 'abbr', 'time', 'u', 'small', ...MATHML.split(' ')],
  attributes: {
    ...defaultSchema.attributes,
    '*': ['id', 'lang', 'dir', 'title', 'colSpan', 'rowSpan', 'align', 'alt', 'width', 'height', 'start', 'cite', 'dateTime', 'display', 'mathvariant', 'stretchy', 'ariaDescribedBy', 'ariaLabel'],
    a: ['href'],
    img: ['src', 'alt', 'width', 'height', 'loading'],
    input: [],
  },
  protocols: { ...defaultSchema.protocols, href: ['http', 'https', 'mailto'], src: [] },
}

/** A preserved page's text: its links say where they lead, its pictures are those that were stored with it. */
function treeOf(html: string): Root {
  const tree = sanitize(fromHtml(html, { fragment: true }), schema) as Root
  const improve = (node: Nodes): void => {
    if (!('children' in node)) return
    node.children = node.children.filter((child) => {
      if (child.type !== 'element' || child.tagName !== 'img') return true
      // What isn't ours would tell another server who reads.
      return /^\/(?!\/)/u.test(String(child.properties['src'] ?? ''))
    }) as typeof node.children
    for (const child of node.children) {
      if (child.type === 'element' && child.tagName === 'a') child.properties['rel'] = ['noreferrer', 'external']
      if (child.type === 'element' && child.tagName === 'img') child.properties['loading'] = 'lazy'
      improve(child as Nodes)
    }
  }
  improve(tree)
  return tree
}

/** A preserved page for its reader, and how many of its blocks are transcripts. */
export async function readable(html: string): Promise<{ html: string; consoles: number }> {
  const tree = treeOf(html)
  let consoles = 0
  for (const pre of pres(tree)) {
    pre.properties['tabIndex'] = 0 // It may scroll.
    if (parseTranscript(textOf(pre))) consoles++
  }
  return { html: toHtml(tree), consoles }
}

export interface LabChoice {
  name: string
  title: string
  hosts: string[]
}

/** The labs of the room's articles, for a preserved page to run in. */
export async function labsToChoose(lang: string): Promise<LabChoice[]> {
  const labs: LabChoice[] = []
  for (const [name, fileName] of await articleFiles(lang)) {
    const path = join(articlesFolder(), fileName)
    const { article, mistakes } = parseArticle(await readFile(path, 'utf8'), fileName, { readFile: beside(path) })
    if (!article.lab || mistakes.length > 0) continue
    labs.push({ name, title: article.front.title || name, hosts: article.lab.hosts.map((host) => host.name) })
  }
  return labs
}

/** Each article's file: the one in the reader's language if there is one. */
async function articleFiles(lang: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const fileName of (await readdir(articlesFolder()).catch(() => [])).sort()) {
    const file = parseArticleFileName(fileName)
    if (file && (file.lang === undefined || file.lang === lang)) {
      if (file.lang !== undefined || !files.has(file.name)) files.set(file.name, fileName)
    }
  }
  return files
}

/** The page as an article that runs in the lab of another; undefined if there is no such lab. */
export async function articleOfPage(
  entry: EntryView,
  html: string,
  labName: string,
  lang: string,
): Promise<ArticleView | undefined> {
  const fileName = isArticleName(labName) ? (await articleFiles(lang)).get(labName) : undefined
  if (fileName === undefined) return undefined
  const path = join(articlesFolder(), fileName)
  const source = parseArticle(await readFile(path, 'utf8'), fileName, { readFile: beside(path) }).article
  if (!source.lab) return undefined
  const hosts = source.lab.hosts.map((host) => host.name)
  const tree = treeOf(html)
  let text = source.text.slice(0, source.bodyOffset)
  let number = 0
  for (const pre of pres(tree)) {
    const commands = parseTranscript(textOf(pre))
    if (!commands) continue
    text += `\n${blockOf(commands, hosts)}\n`
    pre.properties = { dataBlock: String(number++) }
  }
  const { article, mistakes } = parseArticle(text, fileName, { readFile: beside(path) })
  if (!article.lab || article.blocks.length !== number) return undefined
  return {
    name: labName,
    lang: entry.lang || lang,
    title: entry.title,
    summary: '',
    keywords: entry.keywords,
    languages: [],
    pieces: piecesOf(tree.children as Parameters<typeof piecesOf>[0]),
    blocks: await Promise.all(article.blocks.map(viewBlock)),
    mistakes: mistakes.map(({ at, what, hint }) => ({ line: at.line, column: at.column, what, hint })),
    lab: {
      plan: article.lab,
      blocks: article.blocks,
      wide: await drawLab(article.lab, 'wide'),
      tall: await drawLab(article.lab, 'tall'),
    },
    file: fileName,
  }
}

/** A console block of the room's own format; hosts that the lab hasn't are its first. */
function blockOf(commands: Command[], hosts: string[]): string {
  const longest = Math.max(2, ...commands.flatMap(({ output }) => output.map((line) => /^`+/u.exec(line)?.[0].length ?? 0)))
  const fence = '`'.repeat(longest + 1)
  const lines = commands.flatMap(({ host, prompt, command, output }) => {
    const on = hosts.find((name) => name === host) ?? hosts.find((name) => host !== '' && host.startsWith(name)) ?? hosts[0]!
    return [`${on}${prompt} ${command.split('\n').join('\n> ')}`, ...output]
  })
  return `${fence}console\n${lines.join('\n')}\n${fence}`
}
