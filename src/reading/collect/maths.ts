/**
 * Formulas, kept by their source. MathML stays as it is; where a page's script would make a formula of TeX (MathJax, KaTeX)
 * or shows a picture of it, the TeX stands in its place as `<code class="language-math">`.
 */
import type { Element } from 'hast'
import { attr, classesOf, elements, h, hasClass, isElement, type Parent, replace, t, textOf, walk } from './tree.ts'

/** Brings every formula to one of the two forms; returns them, in the page's order. */
export function normaliseMaths(root: Parent): Element[] {
  const found: Element[] = []
  const keep = (parent: Parent, old: Element, formula: Element) => {
    replace(parent, old, formula)
    found.push(formula)
    return false
  }
  walk(root, (element, parent) => {
    if (isElement(element, 'math')) {
      found.push(element)
      return false
    }
    // MathJax 2 and 3: the source in a script; what it drew stands beside it and is left out.
    if (isElement(element, 'script') && /^math\//u.test(attr(element, 'type'))) {
      const type = attr(element, 'type')
      if (type.startsWith('math/tex')) return keep(parent, element, texOf(textOf(element), type.includes('display')))
      return undefined
    }
    if (hasClass(element, /^(MathJax(_Preview|_Display|_SVG|_SVG_Display|_CHTML)?|mjx-chtml)$/u)) {
      // With a script behind it that says the same.
      const later = parent.children.slice(parent.children.indexOf(element) + 1).find((node) => isElement(node))
      if ((isElement(later, 'script') && /^math\//u.test(attr(later, 'type'))) || isElement(later, 'span')) {
        replace(parent, element)
        return false
      }
    }
    const display =
      hasClass(element, /^(katex-display|math-display|display|mwe-math-fallback-image-display)$/u) ||
      attr(element, 'display') === 'true'
    if (
      isElement(element, 'mjx-container') ||
      hasClass(element, /^(katex|katex-display|mwe-math-element|MathJax|MathJax_Display|arithmatex|math)$/u)
    ) {
      const math = [...elements(element, 'math')][0]
      if (math) {
        if (display || hasClass(element, /^katex-display$/u)) math.properties['display'] ??= 'block'
        return keep(parent, element, math)
      }
      const annotated = [...elements(element, 'annotation')][0]
      const image = [...elements(element, 'img')][0]
      const tex =
        attr(element, 'dataTex') ||
        (annotated && textOf(annotated)) ||
        (image && attr(image, 'alt')) ||
        sourceIn(element)
      if (tex) return keep(parent, element, texOf(tex, display))
    }
    if (
      isElement(element, 'img') &&
      attr(element, 'alt') !== '' &&
      (hasClass(element, /^(tex|latex|math|mwe-math-fallback-image-\w+)$/u) ||
        /\/(cgi-bin\/mimetex|latex\.php|chart\?cht=tx)/u.test(attr(element, 'src')))
    )
      return keep(parent, element, texOf(attr(element, 'alt'), display))
    return undefined
  })
  return found
}

/** Pandoc and Sphinx: `\(x\)` or `\[x\]` as the text of a marked element. */
function sourceIn(element: Element): string {
  if (!classesOf(element).some((name) => /^(math|arithmatex)$/u.test(name))) return ''
  const text = textOf(element).trim()
  return /^(\\\(|\\\[|\$|\\begin)/u.test(text) ? text : ''
}

function texOf(source: string, display: boolean): Element {
  const tex = source.trim()
  const bare = /^\\\(([\s\S]*)\\\)$/u.exec(tex)?.[1] ?? /^\\\[([\s\S]*)\\\]$/u.exec(tex)?.[1] ?? tex
  const block = display || tex.startsWith('\\[')
  const code = h('code', { className: ['language-math', block ? 'math-display' : 'math-inline'] }, t(bare.trim()))
  return block ? h('pre', {}, code) : code
}
