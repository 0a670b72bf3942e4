/**
 * Frames taken apart as Wireshark does: protocols of fields, with its names, its lines and its values.
 *
 *     const dissector = new Dissector()
 *     const { nodes } = dissector.next({ s: 0, ns: 0, bytes })
 *     nodes.at(-1)!.text // 'Address Resolution Protocol (request)'
 */
export { type CapturedFrame, type Dissection, Dissector, dateText, type FrameClock, type Source } from './dissector.ts'
export { FIELDS, type FieldInfo, type FieldKind } from './fields.ts'
export { macName, type NodeValue, type TreeNode } from './tree.ts'
