/** Makes an article in one file. Built for Node beside the page's script and style, which it reads once. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { viewText } from '$lib/server/view.ts'
import { ENDLESS } from './endless.ts'

const part = (name: string) => readFileSync(fileURLToPath(new URL(name, import.meta.url)), 'utf8')
let parts: { script: string; style: string } | undefined

const FOOTNOTES: Readonly<Record<string, string>> = { en: 'Footnotes', ja: '脚注' }

// What would end the element that it stands in.
const inScript = (text: string) => text.replaceAll(/<(?=\/script|!--|script)/giu, '\\x3c')
const inStyle = (text: string) => text.replaceAll(/<(?=\/style)/giu, '\\3c ')
const inText = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
// JSON may say any character by its number; it has no word for what has no end, such as a cable's rate.
const endless = (_: string, value: unknown) => (value === Number.POSITIVE_INFINITY ? ENDLESS : value)
const inJson = (value: unknown) =>
  JSON.stringify(value, endless)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')

/** The one thing that may run is what stands in the file; nothing is fetched, nothing is sent. */
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; style-src 'unsafe-inline'; img-src data: blob:; worker-src blob: data:; connect-src data: blob:; base-uri 'none'; form-action 'none'"

export interface StandaloneOptions {
  name: string
  text: string
  readFile?: (path: string) => string | undefined
  /** What was shared: it is done again when the file is opened. */
  session?: string
}

/** An article's text as a page in one file; throws if it can't run as it stands. */
export async function standalone({ name, text, readFile: shared, session }: StandaloneOptions): Promise<string> {
  parts ??= { script: part('page.js'), style: part('page.css') }
  const footnotes = FOOTNOTES[/^lang: *(\S+)/mu.exec(text)?.[1] ?? ''] ?? 'Footnotes'
  const { view } = await viewText(name, text, {
    file: `${name}.md`,
    footnotes,
    ...(shared ? { readFile: shared } : {}),
  })
  const { mistakes, lang } = view
  if (mistakes.length > 0)
    throw new Error(
      mistakes.map(({ line, column, what, hint }) => `${name}.md:${line}:${column}: ${what}; ${hint}`).join('\n'),
    )
  const language = FOOTNOTES[lang] ? lang : 'en'
  return `<!doctype html>
<html lang="${language}" data-theme="system">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Kaidoku">
<title>${inText(view.title)}</title>
<style>${inStyle(parts.style)}</style>
</head>
<body>
<noscript><h1>${inText(view.title)}</h1><p>${inText(view.summary)}</p></noscript>
<script type="application/json" id="article">${inJson({ article: view, session })}</script>
<script type="module">${inScript(parts.script)}</script>
</body>
</html>
`
}

/** The same of a file. */
export async function standaloneFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8')
  const beside = (other: string) => {
    try {
      return readFileSync(resolve(dirname(path), other), 'utf8')
    } catch {
      return undefined
    }
  }
  return standalone({ name: basename(path, '.md'), text, readFile: beside })
}
