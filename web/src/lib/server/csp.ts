/**
 * A policy without `unsafe-inline`: a style attribute that a component was rendered with becomes a rule of a style element,
 * and that element has the page's nonce. In the browser Svelte sets styles by CSSOM, which the policy allows; for what writes
 * style elements or attributes itself, as xterm.js does, see $lib/styles/allow.ts.
 */
import { randomBytes } from 'node:crypto'

// A tag with a style attribute, as Svelte and our own renderers write them: double quotes, and none within.
const TAG =
  /<[a-z][a-z0-9:-]*(?:\s+[^\s"'<>=/]+(?:="[^"]*")?)*?\s+style="[^"]*"(?:\s+[^\s"'<>=/]+(?:="[^"]*")?)*\s*\/?>/giu
const STYLE = /\s+style="([^"]*)"/iu
// What could end the rule, or the element, isn't a declaration.
const PLAIN = /^[^{}<>@\\]*$/u

const unescape = (text: string) =>
  text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')

/** Moves the style attributes of a page into one style element at the end of its head. */
export function liftStyles(html: string, nonce: string): string {
  const rules = new Map<string, string>()
  const lifted = html.replace(TAG, (tag) => {
    const declarations = unescape(STYLE.exec(tag)![1]!).trim()
    if (declarations === '') return tag.replace(STYLE, '')
    if (!PLAIN.test(declarations)) return tag
    let name = rules.get(declarations)
    if (name === undefined) rules.set(declarations, (name = `s${rules.size}`))
    return tag.replace(STYLE, ` data-style="${name}"`)
  })
  if (rules.size === 0) return html
  // Doubled, so that it wins over a component's own class as an attribute would.
  const css = [...rules].map(([text, name]) => `${`[data-style="${name}"]`.repeat(4)}{${text}}`).join('')
  return lifted.replace('</head>', () => `<style nonce="${nonce}">${css}</style></head>`)
}

export const createNonce = () => randomBytes(16).toString('base64')

const DIRECTIVES = [
  "default-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
]

/** The policy of a page: SvelteKit's, with our nonce for styles; or of what SvelteKit doesn't render, one that lets nothing run. */
export function policyWith(made: string | null, nonce: string): string {
  if (made === null) return [...DIRECTIVES, "script-src 'self'", "style-src 'self'"].join('; ')
  return made.replace(
    /(^|;\s*)style-src [^;]*/u,
    (directive) => `${directive.replaceAll(" 'unsafe-inline'", '')} 'nonce-${nonce}'`,
  )
}
