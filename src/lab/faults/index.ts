/**
 * What can befall a lab: cables, power, loss, delay and rate.
 *
 *     parseVerb('unplug web1:eth0', plan) // { ok: true, verb: { verb: 'unplug', host: 'web1', interface: 'eth0' } }
 */
export { applyVerb } from './apply.ts'
export { formatVerb, LAB_HELP, type LabVerb, type ParsedVerb, parseVerb } from './verbs.ts'
