/** What the editor knows of articles: mistakes at their places, and words that fit. */
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete'
import type { Diagnostic } from '@codemirror/lint'
import type { Text } from '@codemirror/state'
import { type ParsedArticle, parseArticle } from '#article/format'

export const TEMPLATE = `---
title: A new article
summary: One sentence for the list.
lang: en
keywords: []
lab:
  networks:
    lan: {}
  hosts:
    client: { eth0: lan 10.0.0.1/24 }
    server: { eth0: lan 10.0.0.2/24 }
---

What is this about?

\`\`\`console
client# ping -c 1 10.0.0.2
...
\`\`\`
`

/** The parser's mistakes, where they are. */
export function diagnose(text: string, doc: Text): { parsed: ParsedArticle; diagnostics: Diagnostic[] } {
  const parsed = parseArticle(text, 'article.md')
  const diagnostics = parsed.mistakes.map(({ at, what, hint }): Diagnostic => {
    const line = doc.line(Math.max(1, Math.min(doc.lines, at.line)))
    const from = Math.min(line.to, line.from + Math.max(0, at.column - 1))
    return { from, to: Math.max(from, line.to), severity: 'error', message: `${what}; ${hint}` }
  })
  return { parsed, diagnostics }
}

const FRONT = ['title', 'summary', 'lang', 'keywords', 'seed', 'lab']
const LAB = ['networks', 'hosts']
const HOST = ['eth0', 'eth1', 'lo', 'gateway', 'sysctl', 'ipv6', 'kernel', 'machine']
const NETWORK = ['delay', 'rate', 'loss']
const VERBS = ['unplug', 'plug', 'poweroff', 'poweron', 'loss', 'delay', 'rate']
const COMMANDS = [
  'arping', 'arp', 'bridge', 'cat', 'conntrack', 'curl', 'dig', 'echo', 'ethtool', 'grep', 'host', 'hping3', 'ip', 'iperf3',
  'ipset', 'iptables', 'ipvsadm', 'keepalived', 'nc', 'nft', 'ping', 'ps', 'sleep', 'socat', 'ss', 'sysctl', 'tc', 'tcpdump',
  'traceroute', 'watch',
] // biome-ignore format: a list of words

const words = (list: readonly string[], type: string, after = ''): Completion[] =>
  list.map((label) => ({ label, type, apply: label + after }))

/** Keys in the front matter; hosts, verbs and commands in console blocks. */
export function complete(hosts: () => string[]): (context: CompletionContext) => CompletionResult | null {
  return (context) => {
    const { state, pos } = context
    const line = state.doc.lineAt(pos)
    const before = line.text.slice(0, pos - line.from)
    const above = state.doc.sliceString(0, line.from)
    const word = context.matchBefore(/[\w.-]*/u)
    if (!word || (word.from === word.to && !context.explicit)) return null
    const inFront = above.startsWith('---') && !/^---\s*$/mu.test(above.slice(4))
    if (inFront) {
      if (/^\s*[\w-]*$/u.test(before)) {
        const list = /^\S/u.test(before) || before === '' ? FRONT : LAB
        return { from: word.from, options: words(list, 'property', ': ') }
      }
      return { from: word.from, options: [...words(HOST, 'property', ': '), ...words(NETWORK, 'property', ': ')] }
    }
    const fences = above.match(/^\s*(?:```|~~~).*$/gmu) ?? []
    const inConsole = fences.length % 2 === 1 && /console/u.test(fences.at(-1)!)
    if (!inConsole)
      return before.trim().startsWith('```')
        ? { from: word.from, options: words(['console', 'unordered', 'nocheck', 'invariant'], 'keyword') }
        : null
    if (/^\s*[\w-]*$/u.test(before)) return { from: word.from, options: words([...hosts(), 'lab'], 'variable', '# ') }
    if (/^\s*lab# \S*$/u.test(before)) return { from: word.from, options: words(VERBS, 'function', ' ') }
    if (/^\s*[\w-]+[#$] [\w.-]*$/u.test(before)) return { from: word.from, options: words(COMMANDS, 'function', ' ') }
    return { from: word.from, options: words(hosts(), 'variable') }
  }
}
