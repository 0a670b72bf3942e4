/**
 * Preserved pages: cleaned again before they are shown, and their transcripts made runnable. A page knows nothing of our labs:
 * its reader chooses one, and what the page's `#` and `$` were typed on becomes a host of that lab.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Element, Nodes, Root } from 'hast'
import { fromHtml } from 'hast-util-from-html'
import { toHtml } from 'hast-util-to-html'
import { parseArticle } from '#article/format'
import { parseConsole, sanitiseHtml } from '#reading/collect'
import { isArticleName, parseArticleFileName } from '#reading/library'
import { beside } from '#reading/store'
import type { ArticleView } from '$lib/article.ts'
import type { EntryView } from '$lib/views.ts'
import { drawLab } from './picture.ts'
import { piecesOf } from './render.ts'
import { articlesFolder } from './room.ts'
import { viewBlock } from './view.ts'

interface Command {
  /** As the page names it; empty if it doesn't. */
  host: string
  prompt: '#' | '$'
  command: string
  output: string[]
}

/** What a block says was typed, and what came of it; undefined if it isn't a transcript. */
function commandsOf(pre: Element): Command[] | undefined {
  return parseConsole(textOf(pre), languageOf(pre))?.commands.map(({ host, root, command, output }) => ({
    host: host ?? '',
    prompt: root ? '#' : '$',
    command,
    output: output.replace(/\n+$/u, '') === '' ? [] : output.replace(/\n+$/u, '').split('\n'),
  }))
}

/** As its class says, which is how Markdown and highlighters write it. */
function languageOf(pre: Element): string {
  const code = pre.children.find((child): child is Element => child.type === 'element' && child.tagName === 'code')
  const names = [code, pre].flatMap((element) => element?.properties['className'] ?? []).map(String)
  return names.find((name) => name.startsWith('language-'))?.slice('language-'.length) ?? ''
}

const textOf = (node: Nodes): string =>
  node.type === 'text' ? node.value : 'children' in node ? node.children.map((child) => textOf(child)).join('') : ''

function* pres(node: Nodes): Generator<Element> {
  if (node.type === 'element' && node.tagName === 'pre') yield node
  else if ('children' in node) for (const child of node.children) yield* pres(child)
}

/** A preserved page's text: its links say where they lead, its pictures are those that were stored with it. */
function treeOf(html: string): Root {
  const tree = fromHtml(sanitiseHtml(html), { fragment: true })
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
    if (commandsOf(pre)) consoles++
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
    const commands = commandsOf(pre)
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
  const longest = Math.max(
    2,
    ...commands.flatMap(({ output }) => output.map((line) => /^`+/u.exec(line)?.[0].length ?? 0)),
  )
  const fence = '`'.repeat(longest + 1)
  const lines = commands.flatMap(({ host, prompt, command, output }) => {
    const on =
      hosts.find((name) => name === host) ?? hosts.find((name) => host !== '' && host.startsWith(name)) ?? hosts[0]!
    return [`${on}${prompt} ${command.split('\n').join('\n> ')}`, ...output]
  })
  return `${fence}console\n${lines.join('\n')}\n${fence}`
}
