/**
 * Code blocks, in the many shapes that generators give them: highlighted, with numbers in a table beside them, a line a
 * row, a copy button within. What is kept is the text, to the blank, and the language.
 */
import type { Element, ElementContent } from 'hast'
import {
  attr,
  classesOf,
  elements,
  h,
  hasClass,
  isBlank,
  isElement,
  type Parent,
  replace,
  t,
  textOf,
  walk,
} from './tree.ts'

// Numbers, prompts' buttons and the like: beside the code, not of it.
const BESIDE =
  /^(lineno|linenos|linenodiv|lineno-?s?|line-?numbers?(-rows)?|gutter|gl|lnt|ln|rouge-gutter|hljs-ln-numbers|hljs-ln-n|blob-num|js-line-number|copy(-?(button|btn|code))?|btn-copy|clipboard(-copy|-button)?|copybtn|zeroclipboard-container|code-copy|code-lang|code-frame-lang|headerlink|anchor)$/iu
const LANGUAGE = /^(?:language-|lang-|highlight-source-|highlight-|sourceCode-|brush:)([\w+#.-]+)$/iu
const NOT_LANGUAGES =
  /^(default|none|text|plain|plaintext|txt|nohighlight|notranslate|source|wrapper|code|block|highlight)$/iu
const KNOWN =
  /^(bash|sh|shell|console|shell-session|zsh|c|cpp|c\+\+|rust|go|python|py|pycon|ruby|rb|perl|pl|java|javascript|js|typescript|ts|json|yaml|yml|xml|html|css|sql|diff|ini|toml|makefile|dockerfile|nginx|lua|php|haskell|ocaml|asm|awk|sed|tex|kotlin|swift|scala|r|vim|powershell|terraform|hcl)$/iu

/** Makes `<pre><code class="language-x">` of every code block; returns them, in the page's order. */
export function normaliseCode(root: Parent): Element[] {
  const found: Element[] = []
  walk(root, (element, parent, ancestors) => {
    const taken = codeTableText(element)
    if (taken !== undefined) {
      found.push(swap(element, parent, ancestors, taken))
      return false
    }
    if (!isElement(element, 'pre', 'listing', 'xmp', 'plaintext')) return undefined
    // Highlighters put a whole table within the pre, or each line in an element.
    const inner = [...elements(element, 'table')].find((table) => codeTableText(table) !== undefined)
    found.push(swap(element, parent, ancestors, inner ? codeTableText(inner)! : textOfCode(element)))
    return false
  })
  return found
}

function swap(element: Element, parent: Parent, ancestors: readonly Element[], text: string): Element {
  const language = languageOf(element, ancestors)
  const code = h('code', language ? { className: [`language-${language}`] } : {}, t(text))
  const pre = h('pre', {}, code)
  replace(parent, element, pre)
  return pre
}

/** The text of a table that only lays out code: numbers left, lines right, or a line a row. */
function codeTableText(element: Element): string | undefined {
  if (!isElement(element, 'table')) return undefined
  const isCode = hasClass(
    element,
    /^(highlighttable|rouge-table|lntable|hljs-ln|codehilitetable|js-file-line-container|highlight|code-table|linenos-table|blob-wrapper|gist)$/iu,
  )
  const cells = [...elements(element, 'td')]
  if (cells.length === 0 || [...elements(element, 'th')].length > 0) return undefined
  const code = cells.filter((cell) => !hasClass(cell, BESIDE) && attr(cell, 'dataLineNumber') === '')
  const pres = code.flatMap((cell) => [...elements(cell, 'pre')])
  const rows = [...elements(element, 'tr')]
  if (rows.length === 1 && cells.length <= 2) {
    // One row: numbers, and all of the code.
    const besides = cells.length - code.length
    const numbered = cells.length === 2 && /^[\s\d]+$/u.test(textOf(cells[0]!)) && textOf(cells[0]!).trim() !== ''
    if (
      !isCode &&
      !(numbered && pres.length > 0) &&
      !(besides === 1 && (pres.length > 0 || code.some((cell) => hasClass(cell, /^code$/u))))
    )
      return undefined
    const cell = numbered || besides === 0 ? cells.at(-1)! : code.at(-1)
    if (!cell) return undefined
    const pre = [...elements(cell, 'pre')][0]
    return textOfCode(pre ?? cell)
  }
  const lined =
    isCode ||
    cells.some(
      (cell) => hasClass(cell, /^(blob-code|hljs-ln-code|js-file-line)$/u) || attr(cell, 'dataLineNumber') !== '',
    )
  if (!lined) return undefined
  return rows
    .map((row) => {
      const own = [...elements(row, 'td')]
      const cell = own.findLast((one) => !hasClass(one, BESIDE)) ?? own.at(-1)
      return cell ? textOfCode(cell).replace(/\n$/u, '') : ''
    })
    .join('\n')
    .concat('\n')
}

/** As a reader copies it. */
function textOfCode(element: Element): string {
  const lineElements =
    element.children.length > 1 ||
    [...elements(element, 'div', 'p', 'li')].length > 1 ||
    element.children.some((child) => isElement(child, 'code'))
  const write = (node: ElementContent): string => {
    if (node.type === 'text') return node.value
    if (node.type !== 'element') return ''
    if (isElement(node, 'br')) return '\n'
    if (
      isElement(node, 'button', 'style', 'script', 'svg') ||
      hasClass(node, BESIDE) ||
      attr(node, 'ariaHidden') === 'true'
    )
      return ''
    if (attr(node, 'dataLineNumber') !== '' && textOf(node).trim() === '') return ''
    const text = node.children.map(write).join('')
    // A line in a block of its own ends as a line ends.
    const block = isElement(node, 'div', 'p', 'li', 'tr')
    return block && lineElements && !text.endsWith('\n') ? `${text}\n` : text
  }
  const text = element.children
    .map(write)
    .join('')
    .replace(/\r\n?/gu, '\n')
    .replace(/\u00a0/gu, ' ')
  return text
}

function languageOf(element: Element, ancestors: readonly Element[]): string {
  const inside = [...elements(element, 'code', 'pre')].slice(0, 8)
  const around = [...ancestors].reverse().slice(0, 3)
  for (const one of [element, ...inside, ...around]) {
    for (const said of [attr(one, 'dataLang'), attr(one, 'dataLanguage'), attr(one, 'lang')]) {
      if (KNOWN.test(said)) return said.toLowerCase()
    }
    const classes = classesOf(one)
    for (const [i, name] of classes.entries()) {
      const said = LANGUAGE.exec(name)?.[1] ?? (name === 'brush:' ? classes[i + 1] : undefined)
      if (said && !NOT_LANGUAGES.test(said)) return said.toLowerCase().replace(/;$/u, '')
      // highlight.js and Hatena: the bare name, beside a class that says it is code.
      if (
        KNOWN.test(name) &&
        (isElement(one, 'code', 'pre') ||
          classes.some((other) => /^(hljs|code|sourceCode|highlight|mw-highlight|sh_\w+)$/u.test(other)))
      )
        return name.toLowerCase()
      const word = /^(?:mw-highlight-lang|sh|source|code)-?_?-?(\w+)$/iu.exec(name)?.[1]
      if (word && KNOWN.test(word)) return word.toLowerCase()
    }
  }
  return ''
}

/** Takes a wrapper away that has nothing but one code block (and a button or a name) in it. */
export function unwrapCode(root: Parent, blocks: ReadonlySet<Element>): void {
  for (let again = true; again; ) {
    again = false
    walk(root, (element, parent) => {
      if (blocks.has(element)) return false
      if (!isElement(element, 'div', 'figure', 'span') || parent.type === 'root') return undefined
      const rest = element.children.filter(
        (child) => !isBlank(child) && !(isElement(child) && (hasClass(child, BESIDE) || isElement(child, 'button'))),
      )
      if (rest.length === 1 && isElement(rest[0]) && blocks.has(rest[0])) {
        replace(parent, element, rest[0])
        again = true
        return false
      }
      return undefined
    })
  }
}
