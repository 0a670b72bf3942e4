/** Tables: those with data are kept whole; those that only lay out an old page become what they hold, in order. */
import type { Element } from 'hast'
import { attr, elements, h, isElement, type Parent, replace, textOf, walk } from './tree.ts'

/** Takes layout tables apart; returns the tables with data, in the page's order. */
export function normaliseTables(root: Parent): Element[] {
  const layout = new Map<Element, Parent>()
  walk(root, (element, parent) => {
    if (isElement(element, 'table') && isLayout(element)) layout.set(element, parent)
    return undefined
  })
  // From within: what held a layout table holds its contents then.
  for (const table of [...layout.keys()].reverse()) {
    const cells = ownCells(table).filter((cell) => cell.children.length > 0)
    const parts = cells.map((cell) => h('div', {}, ...cell.children))
    const whole = h('div', {}, ...parts)
    const parent = layout.get(table)!
    replace(parent, table, whole)
  }
  const found: Element[] = []
  walk(root, (element) => {
    if (!isElement(element, 'table')) return undefined
    found.push(element)
    return false
  })
  return found
}

function ownRows(table: Element): Element[] {
  return table.children.flatMap((child) => {
    if (isElement(child, 'tr')) return [child]
    return isElement(child, 'tbody', 'thead', 'tfoot')
      ? child.children.filter((row): row is Element => isElement(row, 'tr'))
      : []
  })
}

function ownCells(table: Element): Element[] {
  return ownRows(table).flatMap((row) => row.children.filter((cell): cell is Element => isElement(cell, 'td', 'th')))
}

function isLayout(table: Element): boolean {
  if (attr(table, 'role') === 'presentation') return true
  if (attr(table, 'summary') !== '') return false
  if (table.children.some((child) => isElement(child, 'caption', 'thead', 'colgroup'))) return false
  const cells = ownCells(table)
  if (cells.some((cell) => isElement(cell, 'th'))) return false
  if (cells.length === 0) return true
  if ([...elements(table, 'table')].length > 0) return true
  const rows = ownRows(table)
  // Whole passages in a cell: headings, several paragraphs, code, rules, a picture map.
  const passages = cells.filter((cell) => {
    const blocks = [...elements(cell, 'h1', 'h2', 'h3', 'h4', 'hr', 'form', 'dl', 'pre')].length
    const paragraphs = [...elements(cell, 'p')].length
    return blocks > 0 || paragraphs > 1 || textOf(cell).length > 1500
  })
  if (passages.length > 0) return true
  return rows.length === 1 && cells.length === 1
}
