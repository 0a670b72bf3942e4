/** Code in colour, on the server. Shiki's tokens become classes of tokens.css, so that light and dark need one page. */
import type { ElementContent } from 'hast'
import {
  type BundledLanguage,
  bundledLanguages,
  createCssVariablesTheme,
  createHighlighter,
  type Highlighter,
} from 'shiki'

const theme = createCssVariablesTheme({ name: 'tokens', variablePrefix: '--', fontStyle: false })
// What the theme may say, and the class it becomes; everything else is plain text.
const CLASSES: Record<string, string> = {
  'token-keyword': 'k',
  'token-string': 's',
  'token-string-expression': 's',
  'token-constant': 'n',
  'token-function': 'f',
  'token-comment': 'c',
}

let highlighter: Promise<Highlighter> | undefined
const loaded = new Set<string>()

/** Lines of code as spans with classes; plain text if the language isn't known. */
export async function highlight(code: string, language: string | undefined): Promise<ElementContent[]> {
  const lang = language?.toLowerCase() ?? ''
  if (!(lang in bundledLanguages) || code.length > 100_000) return [{ type: 'text', value: code }]
  highlighter ??= createHighlighter({ themes: [theme], langs: [] })
  const shiki = await highlighter
  if (!loaded.has(lang)) {
    await shiki.loadLanguage(lang as BundledLanguage)
    loaded.add(lang)
  }
  const lines = shiki.codeToTokensBase(code, { lang: lang as BundledLanguage, theme })
  return lines.flatMap((line, at) => {
    const spans: ElementContent[] = line.map(({ content, color }) => {
      const name = CLASSES[/^var\(--(.+)\)$/u.exec(color ?? '')?.[1] ?? '']
      const text: ElementContent = { type: 'text', value: content }
      return name ? { type: 'element', tagName: 'span', properties: { className: [name] }, children: [text] } : text
    })
    return at + 1 < lines.length ? [...spans, { type: 'text', value: '\n' }] : spans
  })
}
