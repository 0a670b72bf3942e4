/**
 * Markdown to an article. A CommonMark parser finds the fenced blocks with their positions; what is in them is ours.
 * The text itself is kept, so that an article prints back unchanged and an update touches nothing but expected lines.
 */

import type { Code, Nodes } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { isScalar, isSeq } from 'yaml'
import { closest } from '#base/text'
import { parseVerb } from '#lab/faults'
import {
  type ArticleError,
  entriesOf,
  Mistakes,
  parseLab,
  planLab,
  readYaml,
  type SourcePosition,
  textOf,
  type YamlSource,
} from '#lab/plan'
import {
  type Article,
  type Block,
  type ConsoleBlock,
  type ConsoleCommand,
  type FrontMatter,
  LIMIT_S,
} from './document.ts'
import { parseInvariant } from './invariant.ts'

const TEXT_MAX = 2_000_000
/** CommonMark nests without end; no article does. */
const NESTING_MAX = 200
const PROMPT = /^([a-z][a-z0-9-]*)([#$])(?: (.*))?$/

export interface ParseOptions {
  /** Reads a shared lab file, named relative to the article; undefined if it isn't there. */
  readFile?: (path: string) => string | undefined
}

export interface ParsedArticle {
  /** Whole only if there are no mistakes. */
  article: Article
  mistakes: ArticleError[]
}

/** Parses an article; never throws on what an author wrote. */
export function parseArticle(text: string, file: string, options: ParseOptions = {}): ParsedArticle {
  const mistakes = new Mistakes()
  const article: Article = {
    file,
    text,
    front: { title: '', summary: '', lang: 'en', keywords: [], seed: undefined, other: {} },
    lab: undefined,
    labPath: undefined,
    bodyOffset: 0,
    blocks: [],
    invariants: [],
  }
  const here = (line: number, column = 1): SourcePosition => ({ file, line, column })
  if (text.length > TEXT_MAX) {
    mistakes.add(here(1), 'the article is over two megabytes', 'split it')
    return { article, mistakes: mistakes.list }
  }
  const front = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)^---[ \t]*(?:\r?\n|$)/m.exec(text)
  if (front && front.index === 0) {
    article.bodyOffset = front[0].length
    readFrontMatter(article, readYaml({ text: front[1]!, file, linesBefore: 1 }, mistakes), options)
  } else {
    mistakes.add(here(1), 'there is no front matter', 'begin with `---`, `title: ...` and `---`')
  }
  readBlocks(article, mistakes)
  return { article, mistakes: mistakes.list }
}

function readFrontMatter(article: Article, source: YamlSource, options: ParseOptions): void {
  const { mistakes, at } = source
  let titled = false
  for (const { key, keyNode, value } of entriesOf(source, source.root, 'the front matter')) {
    if (key === 'keywords') article.front.keywords = keywordsOf(source, value)
    else if (key === 'lab') readLab(article, source, value, options)
    else if (key === 'seed') {
      const text = textOf(source, value, '`seed`') ?? ''
      if (/^\d{1,15}$/.test(text)) article.front.seed = Number(text)
      else mistakes.add(at(value), `\`${text}\` is no seed`, 'write a whole number')
    } else if (key === 'title' || key === 'summary' || key === 'lang') {
      const text = textOf(source, value, `\`${key}\``) ?? ''
      article.front[key] = text
      if (key === 'title') titled = true
      if (key === 'lang' && !/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(text)) {
        mistakes.add(at(value), `\`${text}\` is no language tag`, 'write en, ja or another of BCP 47')
      }
    } else {
      const like = closest(key, ['title', 'summary', 'lang', 'keywords', 'seed', 'lab'])
      if (like) mistakes.add(at(keyNode), `the front matter has no \`${key}\``, `did you mean \`${like}\`?`)
      else article.front.other[key] = isScalar(value) ? String(value.value) : ''
    }
  }
  if (!titled && mistakes.list.length === 0)
    mistakes.add(at(source.root), 'the article has no title', 'add `title: ...`')
}

function keywordsOf(source: YamlSource, node: unknown): FrontMatter['keywords'] {
  if (!isSeq(node)) {
    source.mistakes.add(source.at(node), '`keywords` must be a list', 'write `[ARP, LVS]`')
    return []
  }
  return node.items.slice(0, 100).flatMap((item) => textOf(source, item, 'a keyword') ?? [])
}

function readLab(article: Article, source: YamlSource, node: unknown, options: ParseOptions): void {
  if (!isScalar(node)) {
    article.lab = planLab(source, node)
    return
  }
  const text = node.value === null ? 'none' : String(node.value)
  if (text === 'none') return
  article.labPath = text
  const shared = options.readFile?.(text)
  if (shared === undefined) {
    source.mistakes.add(
      source.at(node),
      `there is no lab file \`${text}\``,
      'name a file beside the article, or write the lab here',
    )
    return
  }
  const { plan, mistakes } = parseLab(shared, text)
  for (const mistake of mistakes) source.mistakes.add(mistake.at, mistake.what, mistake.hint)
  article.lab = plan
}

function readBlocks(article: Article, mistakes: Mistakes): void {
  const body = article.text.slice(article.bodyOffset)
  const linesBefore = countLines(article.text.slice(0, article.bodyOffset))
  if (deepest(body) > NESTING_MAX) {
    mistakes.add(
      { file: article.file, line: linesBefore + 1, column: 1 },
      'quotes or lists are nested too deeply',
      'flatten them',
    )
    return
  }
  const lineStarts = startsOf(article.text)
  const visit = (node: Nodes): void => {
    if (node.type === 'code') readCode(article, mistakes, node, linesBefore, lineStarts)
    else if ('children' in node) for (const child of node.children) visit(child)
  }
  visit(fromMarkdown(body))
}

function readCode(article: Article, mistakes: Mistakes, node: Code, linesBefore: number, starts: number[]): void {
  const { start, end } = node.position!
  const firstLine = start.line + linesBefore // Of the fence.
  const at = { file: article.file, line: firstLine, column: start.column }
  const opening = article.text.slice(article.bodyOffset + start.offset!, starts[firstLine] ?? article.text.length)
  if (!/^(`{3,}|~{3,})/.test(opening)) return // Indented code only reads.
  const info = `${node.lang ?? ''} ${node.meta ?? ''}`.trim()
  const words = info.split(/\s+/)
  const range: [number, number] = [article.bodyOffset + start.offset!, article.bodyOffset + end.offset!]
  const target = /^([a-z][a-z0-9-]*):(\/\S*)$/.exec(words.at(-1) ?? '')
  if (words[0] === 'invariant' && !target) {
    const lines = node.value.split('\n').map((text, i) => ({
      text,
      at: { file: article.file, line: firstLine + 1 + i, column: start.column },
    }))
    const invariant = parseInvariant(words.slice(1), at, lines, article.lab, mistakes)
    if (!invariant) return
    if (article.invariants.some(({ name }) => name === invariant.name))
      mistakes.add(at, `there are two invariants \`${invariant.name}\``, 'give each a name of its own')
    article.invariants.push({ ...invariant, range, blocksBefore: article.blocks.length })
    return
  }
  if (words[0] !== 'console') {
    if (target) article.blocks.push(fileBlock(article, mistakes, at, range, target[1]!, target[2]!, node.value))
    return
  }
  const block: ConsoleBlock = {
    kind: 'console',
    at,
    range,
    unordered: false,
    nocheck: false,
    skip: [],
    limitS: LIMIT_S,
    commands: [],
  }
  for (const word of words.slice(1)) readFlag(block, word, mistakes)
  readTranscript(article, block, mistakes, firstLine, end.line + linesBefore, starts)
  article.blocks.push(block)
}

function fileBlock(
  article: Article,
  mistakes: Mistakes,
  at: SourcePosition,
  range: [number, number],
  host: string,
  path: string,
  value: string,
): Block {
  checkHost(article, mistakes, at, host)
  if (path.endsWith('/') || path.split('/').includes('..') || path.length > 4095) {
    mistakes.add(at, `\`${path}\` can't be written`, 'name a file by its whole path')
  }
  return { kind: 'file', at, range, host, path, content: value === '' ? '' : `${value}\n` }
}

function readFlag(block: ConsoleBlock, word: string, mistakes: Mistakes): void {
  const [name, value] = word.split('=', 2) as [string, string | undefined]
  if (word === 'unordered') block.unordered = true
  else if (word === 'nocheck') block.nocheck = true
  else if (name === 'skip' && value) {
    for (const backend of value.split(',')) {
      if (['kernel', 'sim', 'netns', 'qemu'].includes(backend)) block.skip.push(backend)
      else
        mistakes.add(block.at, `there is no backend \`${backend}\` to skip`, 'write skip=kernel, or sim, netns, qemu')
    }
  } else if (name === 'limit' && value && /^\d{1,7}$/.test(value) && Number(value) > 0) block.limitS = Number(value)
  else {
    mistakes.add(
      block.at,
      `a console block has no flag \`${word}\``,
      'there is unordered, nocheck, skip=BACKEND and limit=SECONDS',
    )
  }
}

/** The lines between the fences: prompts, continued commands, expected output. */
function readTranscript(
  article: Article,
  block: ConsoleBlock,
  mistakes: Mistakes,
  firstLine: number,
  lastLine: number,
  starts: number[],
): void {
  const { text } = article
  const fenceColumn = block.at.column - 1
  const prefix = text.slice(starts[firstLine - 1]!, starts[firstLine - 1]! + fenceColumn)
  // In a list item the fence's line may begin with the item's marker; the lines below have blanks in its place.
  const indent = prefix.replace(/[^>\s]/g, ' ')
  const lineAt = (line: number): string => {
    const whole = text.slice(starts[line - 1], starts[line] ?? text.length).replace(/\r?\n$/, '')
    let strip = 0
    while (
      strip < fenceColumn &&
      (whole[strip] === ' ' || whole[strip] === '\t' || (whole[strip] === '>' && indent.includes('>')))
    )
      strip++
    return whole.slice(strip)
  }
  const closing = /^(`{3,}|~{3,})\s*$/.test(lineAt(lastLine)) && lastLine > firstLine
  const end = closing ? lastLine : lastLine + 1
  let current: ConsoleCommand | undefined
  const finish = (line: number) => {
    if (current) current.expectedRange[1] = starts[line - 1] ?? text.length
  }
  for (let line = firstLine + 1; line < end; line++) {
    const content = lineAt(line)
    const at = { file: article.file, line, column: fenceColumn + 1 }
    const prompt = PROMPT.exec(content)
    if (!prompt || !isPrompt(article, prompt[1]!, prompt[3])) {
      if (current) current.expected.push(content)
      else if (content.trim() !== '') {
        mistakes.add(at, 'a console block begins with output', 'begin with a prompt, such as `HOST# command`')
        return
      }
      continue
    }
    finish(line)
    checkHost(article, mistakes, at, prompt[1]!)
    let command = prompt[3] ?? ''
    if (command.trim() === '') mistakes.add(at, 'a prompt without a command', 'write the command behind it')
    while (/(^|[^\\])(\\\\)*\\$/.test(command) && line + 1 < end && /^> ?/.test(lineAt(line + 1))) {
      line++
      command += `\n${lineAt(line).replace(/^> ?/, '')}`
    }
    const from = starts[line] ?? text.length
    current = {
      host: prompt[1]!,
      prompt: prompt[2] as '#' | '$',
      command,
      expected: [],
      at,
      expectedRange: [from, from],
      indent,
    }
    block.commands.push(current)
    if (current.host === 'lab' && article.lab) {
      const verb = parseVerb(command, article.lab)
      if (!verb.ok) mistakes.add(at, verb.what, verb.hint)
    }
  }
  finish(end)
}

/** Whether a line that looks like a prompt is one: the host is known, or it can only be a slip of the pen. */
function isPrompt(article: Article, host: string, command: string | undefined): boolean {
  if (host === 'lab' || !article.lab || article.lab.hosts.some((known) => known.name === host)) return true
  return (
    command !== undefined &&
    closest(
      host,
      article.lab.hosts.map((known) => known.name),
    ) !== undefined
  )
}

function checkHost(article: Article, mistakes: Mistakes, at: SourcePosition, host: string): void {
  if (!article.lab) {
    if (article.labPath === undefined && mistakes.list.length === 0) {
      mistakes.add(at, `the article has no lab, so no host \`${host}\``, 'add `lab:` to the front matter')
    }
    return
  }
  if (host === 'lab' || article.lab.hosts.some((known) => known.name === host)) return
  const like = closest(
    host,
    article.lab.hosts.map((known) => known.name),
  )
  mistakes.add(at, `the lab has no host \`${host}\``, like ? `did you mean \`${like}\`?` : 'add it to `hosts:`')
}

function startsOf(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function countLines(text: string): number {
  let lines = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++
  return lines
}

/** How deeply a line's quotes, list markers and brackets could nest. */
function deepest(text: string): number {
  let most = 0
  for (const line of text.split('\n')) {
    const markers = /^[\s>*+-]*/.exec(line)![0].replace(/[\s]/g, '').length
    let open = 0
    let brackets = 0
    for (const character of line) {
      if (character === '[' || character === '*' || character === '_') brackets = Math.max(brackets, ++open)
      else if (character === ']') open--
    }
    most = Math.max(most, markers, brackets > 2000 ? brackets : 0)
  }
  return most
}
