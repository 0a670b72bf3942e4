/** Walking HTML as a tree of plain objects (hast). */
import type { Element, ElementContent, Root, RootContent } from 'hast'

export type Node = RootContent | ElementContent
export type Parent = Root | Element
/** An element of certain names. Marked, so that what isn't one of them may still be an element. */
export type Named = Element & { readonly named: true }

export function isElement(node: Node | Root | undefined): node is Element
export function isElement(node: Node | Root | undefined, ...names: string[]): node is Named
export function isElement(node: Node | Root | undefined, ...names: string[]): boolean {
  return node?.type === 'element' && (names.length === 0 || names.includes(node.tagName))
}

/** Deeper pages are not read: a reader that calls itself would die of them. */
export const DEPTH_MAX = 300

/** Every element, parents first; `visit` says false to leave out what is inside. */
export function walk(
  parent: Parent,
  visit: (element: Element, parent: Parent, ancestors: readonly Element[]) => boolean | undefined,
): void {
  const go = (at: Parent, ancestors: readonly Element[]) => {
    for (const child of [...at.children]) {
      if (child.type !== 'element') continue
      if (visit(child, at, ancestors) !== false) go(child, [...ancestors, child])
    }
  }
  go(parent, [])
}

export function* elements(parent: Parent, ...names: string[]): Generator<Element> {
  for (const child of parent.children) {
    if (child.type !== 'element') continue
    if (names.length === 0 || names.includes(child.tagName)) yield child
    yield* elements(child, ...names)
  }
}

/** As written, blanks and all; `<br>` is a new line. */
export function textOf(node: Node | Root): string {
  if (node.type === 'text') return node.value
  if (node.type !== 'element' && node.type !== 'root') return ''
  if (isElement(node, 'br')) return '\n'
  return (node.children as Node[]).map(textOf).join('')
}

export const classesOf = (element: Element): string[] => {
  const value = element.properties['className']
  return Array.isArray(value) ? value.map(String) : value ? String(value).split(/\s+/u) : []
}

export const hasClass = (element: Element, pattern: RegExp): boolean =>
  classesOf(element).some((name) => pattern.test(name))
export const attr = (element: Element, name: string): string => {
  const value = element.properties[name]
  return Array.isArray(value)
    ? value.join(' ')
    : value === null || value === undefined || value === false
      ? ''
      : String(value)
}

export function replace(parent: Parent, old: Element, ...by: ElementContent[]): void {
  const at = parent.children.indexOf(old)
  if (at >= 0) parent.children.splice(at, 1, ...by)
}

export const h = (tagName: string, properties: Element['properties'], ...children: ElementContent[]): Element => ({
  type: 'element',
  tagName,
  properties,
  children,
})
export const t = (value: string): ElementContent => ({ type: 'text', value })
export const isBlank = (node: Node): boolean =>
  node.type === 'text' ? node.value.trim() === '' : node.type === 'comment'
