/** The editor's colours: those of the articles' code, so that they hold in every theme. */
import { HighlightStyle } from '@codemirror/language'
import { tags } from '@lezer/highlight'

export const highlightStyle = HighlightStyle.define([
  { tag: tags.heading, fontWeight: '600' },
  { tag: tags.strong, fontWeight: '600' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: tags.strikethrough, textDecoration: 'line-through' },
  { tag: [tags.link, tags.url], color: 'var(--accent)' },
  { tag: [tags.keyword, tags.atom, tags.bool, tags.null], color: 'var(--code-keyword)' },
  { tag: [tags.definition(tags.propertyName), tags.propertyName, tags.labelName], color: 'var(--code-function)' },
  { tag: [tags.string, tags.special(tags.string), tags.monospace], color: 'var(--code-string)' },
  { tag: tags.number, color: 'var(--code-number)' },
  { tag: [tags.comment, tags.meta, tags.processingInstruction, tags.contentSeparator], color: 'var(--code-comment)' },
  { tag: tags.invalid, color: 'var(--bad)' },
])
