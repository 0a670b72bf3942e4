/** One set of trees for each lab of the page, and fields as filters. */
import { FIELDS, type TreeNode } from '#wire/dissect'
import { formatIpv4, formatIpv6, readIpv6 } from '#wire/inet'
import type { Lab } from './lab.svelte.ts'
import { Trees } from './trees.ts'

const known = new WeakMap<Lab, Trees>()

export function treesOf(lab: Lab): Trees {
  let trees = known.get(lab)
  if (!trees) {
    trees = new Trees(() => lab.recording.frames)
    known.set(lab, trees)
  }
  return trees
}

const BYTES_MAX = 32

/** A filter that a field passes; undefined where there is none to write. */
export function filterOf(node: TreeNode): string | undefined {
  const { name, value } = node
  const kind = FIELDS.get(name)?.kind
  if (kind === undefined) return undefined
  if (kind === 'protocol' || kind === 'none') return name
  if (kind === 'boolean') return `${name} == ${value ? 1 : 0}`
  if (kind === 'ipv4') return `${name} == ${formatIpv4(Number(value))}`
  if (kind === 'string') return `${name} == ${JSON.stringify(String(value)).replaceAll('\\u', '\\\\u')}`
  if (value instanceof Uint8Array) {
    if (kind === 'ipv6') return `${name} == ${formatIpv6(readIpv6(value, 0))}`
    if (value.length === 0 || value.length > BYTES_MAX) return name
    return `${name} == ${Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join(':')}`
  }
  if (kind === 'date') return name
  return typeof value === 'number' ? `${name} == ${value}` : undefined
}
