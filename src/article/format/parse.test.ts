import { describe, expect, test } from 'vitest'
import { type Article, parseArticle, updateArticle } from './index.ts'

const FRONT = `---
title: T
summary: S
lang: en
keywords: [a, b]
lab:
  networks: { lan: { delay: 10ms, rate: 100mbit, loss: 0.1% } }
  hosts:
    client: { eth0: lan 10.0.0.1/24 }
    web1: { eth0: lan 10.0.0.3/24, gateway: 10.0.0.1, lo: 10.0.0.100/32, sysctl: { net.ipv4.ip_forward: 1 } }
---
`

function parsed(body: string, front = FRONT): Article {
  const { article, mistakes } = parseArticle(front + body, 'x.md')
  expect(mistakes.map(String)).toEqual([])
  return article
}

function mistakesOf(text: string): string[] {
  return parseArticle(text, 'x.md').mistakes.map((mistake) => mistake.message)
}

const commandsOf = (article: Article) =>
  article.blocks.flatMap((block) => (block.kind === 'console' ? block.commands : []))

describe('an article', () => {
  test('has front matter, a lab and blocks', () => {
    const article = parsed(
      'Text.\n\n```console unordered limit=300\nclient# echo a\na\n\nweb1$ ls\n```\n\n```conf web1:/etc/x.conf\nkey value\n```\n',
    )
    expect(article.front).toMatchObject({ title: 'T', summary: 'S', lang: 'en', keywords: ['a', 'b'] })
    expect(article.lab?.networks).toEqual([{ name: 'lan', delayNs: 10e6, rateBps: 1e8, loss: 0.001 }])
    expect(article.lab?.hosts[1]).toMatchObject({
      name: 'web1',
      number: 2,
      gateway: '10.0.0.1',
      loopback: [{ address: '10.0.0.100', prefix: 32 }],
      sysctl: [['net.ipv4.ip_forward', '1']],
      interfaces: [{ name: 'eth0', network: 'lan', mac: '02:00:00:00:02:00' }],
    })
    expect(article.blocks).toMatchObject([
      { kind: 'console', unordered: true, limitS: 300, at: { line: 14 } },
      { kind: 'file', host: 'web1', path: '/etc/x.conf', content: 'key value\n' },
    ])
    expect(commandsOf(article)).toMatchObject([
      { host: 'client', prompt: '#', command: 'echo a', expected: ['a', ''], at: { line: 15 } },
      { host: 'web1', prompt: '$', command: 'ls', expected: [] },
    ])
  })

  test('continues a command only behind a backslash', () => {
    const [continued, plain] = commandsOf(
      parsed('```console\nclient# echo a \\\n> b\na b\nclient# cat x\n> not a continuation\n```\n'),
    )
    expect(continued).toMatchObject({ command: 'echo a \\\nb', expected: ['a b'] })
    expect(plain).toMatchObject({ command: 'cat x', expected: ['> not a continuation'] })
  })

  test('may have blocks in lists and quotes', () => {
    const [inList, inQuote] = commandsOf(
      parsed(
        '- item\n\n  ```console\n  client# echo a\n  a\n    b\n  ```\n\n> ```console\n> client# echo q\n> q\n> ```\n',
      ),
    )
    expect(inList).toMatchObject({ command: 'echo a', expected: ['a', '  b'] })
    expect(inQuote).toMatchObject({ command: 'echo q', expected: ['q'] })
  })

  test('leaves other code alone', () => {
    expect(parsed('```sh\nclient# echo\n```\n\n    client# indented\n\n~~~text\nx\n~~~\n').blocks).toEqual([])
  })

  test('prints back unchanged, and an update touches expected lines alone', () => {
    const text = `${FRONT}a\n\n- x\n  \`\`\`console\n  client# echo a\n  old\n  client# echo b\n  b\n  \`\`\`\nend\n`
    const { article } = parseArticle(text, 'x.md')
    expect(updateArticle(article, new Map())).toBe(text)
    const [first] = commandsOf(article)
    expect(updateArticle(article, new Map([[first!, ['new', '', 'lines']]]))).toBe(
      text.replace('  old\n', '  new\n\n  lines\n'),
    )
  })

  test('keeps the line ends of its file', () => {
    const text = `${FRONT}\`\`\`console\nclient# echo a\nold\n\`\`\`\n`.replaceAll('\n', '\r\n')
    const { article, mistakes } = parseArticle(text, 'x.md')
    expect(mistakes).toEqual([])
    const [command] = commandsOf(article)
    expect(command!.expected).toEqual(['old'])
    expect(updateArticle(article, new Map([[command!, ['new']]]))).toBe(text.replace('old', 'new'))
  })
})

describe('mistakes are located, and all reported at once', () => {
  test('in the lab', () => {
    const text = `---
title: T
lab:
  networks: { lan: { dealy: 10ms, loss: 5 } }
  hosts:
    client: { eth0: lam 10.0.0.1/24, gatway: 10.0.0.1 }
    web1: { eth0: lan 10.0.0.300/24, gateway: 192.168.0.1, ipv6: yes please, kernel: linux-9 }
    lab: {}
---
`
    expect(mistakesOf(text)).toEqual([
      'x.md:4:22: a network has no `dealy`; did you mean `delay`?',
      'x.md:4:41: `5` is no loss; write it as 5% or 0.1%',
      'x.md:6:21: there is no network `lam`; did you mean `lan`?',
      'x.md:6:46: there is no network `10.0.0.1`; did you mean `gateway`?',
      'x.md:7:19: `10.0.0.300/24` is no address with a prefix; write it as 10.0.0.1/24',
      "x.md:7:66: ipv6 can't be `yes please`; write true or false",
      'x.md:7:86: no kernel `linux-9`; there is linux-6.1, linux-2.6.32, linux-2.6.18, netbsd',
      "x.md:7:47: the gateway 192.168.0.1 is on none of `web1`'s networks; give an interface an address beside it",
      "x.md:8:5: a host can't be called `lab`; choose another name",
    ])
  })

  test('in the blocks', () => {
    const text = `${FRONT}\`\`\`console unorderd
client# 
clinet# echo
lab# unplug web1:eth7
lab# lose lan 5%
\`\`\`

\`\`\`console
output
client# echo
\`\`\`

\`\`\`sh nobody:/etc/x
\`\`\`
`
    expect(mistakesOf(text)).toEqual([
      'x.md:12:1: a console block has no flag `unorderd`; there is unordered, nocheck, skip=BACKEND and limit=SECONDS',
      'x.md:13:1: a prompt without a command; write the command behind it',
      'x.md:14:1: the lab has no host `clinet`; did you mean `client`?',
      'x.md:15:1: `web1` has no interface `eth7` on a network; write `web1:eth0`',
      'x.md:16:1: the lab has no `lose`; did you mean `loss`?',
      'x.md:20:1: a console block begins with output; begin with a prompt, such as `HOST# command`',
      'x.md:24:1: the lab has no host `nobody`; add it to `hosts:`',
    ])
  })

  test.each([
    ['nothing at all', '', 'there is no front matter'],
    ['a shared lab that is missing', '---\ntitle: T\nlab: x.yaml\n---\n', 'there is no lab file `x.yaml`'],
    [
      'commands without a lab',
      '---\ntitle: T\n---\n```console\nweb1# ls\n```\n',
      'the article has no lab, so no host `web1`',
    ],
    ['no title', '---\nlab: none\n---\n', 'the article has no title'],
    ['YAML that is none', '---\ntitle: [\n---\n', 'not YAML'],
    ['a bomb of aliases', '---\ntitle: &a x\nlab: { networks: { lan: *a } }\n---\n', 'an alias'],
  ])('%s', (_, text, what) => {
    expect(mistakesOf(text).some((mistake) => mistake.includes(what))).toBe(true)
  })
})
