/** `action ...` and `police ...` behind a filter. iproute2 6.1 tc/m_action.c, m_gact.c, m_police.c */
import { NotModelled } from '#base/check'
import type { ActionData, ActionMessage } from '#kernel/qdisc'
import type { Output, Words } from '#user/iproute2'
import { Complaint } from './kind.ts'
import { bytesOf, formatRate, formatSize, parseRate, parseSize, ticksOf } from './units.ts'

const VERDICTS: Readonly<Record<string, number>> = {
  continue: -1,
  drop: 2,
  shot: 2,
  pass: 0,
  ok: 0,
  reclassify: 1,
  pipe: 3,
}

const NAMES: Readonly<Record<number, string>> = { [-1]: 'continue', 2: 'drop', 0: 'pass', 1: 'reclassify', 3: 'pipe' }

export function parseActions(words: Words): ActionData[] {
  const actions: ActionData[] = []
  for (;;) {
    const word = words.value()
    if (word === 'gact') words.value()
    if (word === 'police') actions.push(parsePolice(words, false))
    else if (Object.hasOwn(VERDICTS, words.current)) actions.push({ kind: 'gact', verdict: VERDICTS[words.current]! })
    else throw new NotModelled(`tc action ${words.current}`)
    if (words.following !== 'action') return actions
    words.advance()
  }
}

/** Behind the word `police`. `old`: without `action` in front, as in the days before there were actions. */
export function parsePolice(words: Words, old = true): ActionData {
  const data: ActionData & { old?: boolean } = { kind: 'police', exceed: 1 }
  if (old) data.old = true
  let rate: number | undefined
  let burst: number | undefined
  while (words.following !== undefined) {
    const key = words.following
    if (key === 'rate') {
      words.advance()
      rate = parseRate(words.value())
      if (rate === undefined) throw new Complaint('Illegal "rate"')
    } else if (key === 'burst' || key === 'buffer' || key === 'maxburst' || key === 'mtu') {
      words.advance()
      const size = parseSize(words.value().replace(/\/.*/, ''))
      if (size === undefined) throw new Complaint(`Illegal "${key}"`)
      if (key === 'mtu') data.mtu = size
      else burst = size
    } else if (key === 'conform-exceed' || key === 'action') {
      words.advance()
      const [exceed = '', conform] = words.value().split('/')
      data.exceed = VERDICTS[exceed] ?? 2
      if (conform !== undefined) data.conform = VERDICTS[conform] ?? 0
    } else if (Object.hasOwn(VERDICTS, key)) {
      words.advance()
      data.exceed = VERDICTS[key]!
    } else break
  }
  if (rate === undefined) throw new Complaint("'rate' or 'avrate' MUST be specified.")
  if (burst === undefined) throw new Complaint("'burst' requires 'rate'.")
  data.rate = { rate }
  data.burst = burst
  return data
}

function policeLine(out: Output, { index, options }: ActionMessage): void {
  const { rate, burst, mtu, exceed, conform } = options as unknown as ActionData & { rate: { rate: number } }
  const shown = bytesOf(rate.rate, ticksOf(rate.rate, burst!))
  out.raw(` police 0x${index.toString(16)} rate ${formatRate(rate.rate)} burst ${formatSize(shown)} `)
  out.raw(
    `mtu ${formatSize(mtu ?? 2047 + 1)} action ${NAMES[exceed ?? 2]}${conform ? `/${NAMES[conform]}` : ''} overhead 0b \n`,
  )
}

export function printOldPolice(out: Output, action: ActionMessage, stats: boolean): void {
  policeLine(out, action)
  out.raw('\tref 1 bind 1 \n')
  if (!stats) return
  out.raw(
    `\n Sent ${action.bytes} bytes ${action.packets} pkts (dropped ${action.drops}, overlimits ${action.overlimits}) `,
  )
}

export function printActions(out: Output, actions: readonly ActionMessage[], stats: boolean): void {
  actions.forEach((action, i) => {
    out.raw(`\n\taction order ${i + 1}: `)
    const { usedNs, firstUsedNs, installedNs, nowNs } = action as ActionMessage & { nowNs: number }
    const seconds = (ns: number) => Math.floor((nowNs - ns) / 1e9)
    if (action.kind === 'gact') {
      const verdict = NAMES[(action.options as { verdict: number }).verdict]
      out.raw(`gact action ${verdict}\n\t random type none pass val 0\n\t index ${action.index} ref 1 bind 1`)
      if (stats) {
        out.raw(` installed ${seconds(installedNs)} sec used ${seconds(usedNs < 0 ? installedNs : usedNs)} sec`)
        if (firstUsedNs >= 0) out.raw(` firstused ${seconds(firstUsedNs)} sec`)
      }
      out.raw('\n')
    } else {
      policeLine(out, action)
      out.raw('\tref 1 bind 1 ')
      if (stats) {
        out.raw(` installed ${seconds(installedNs)} sec`)
        if (usedNs >= 0 && seconds(usedNs) > 0) out.raw(` used ${seconds(usedNs)} sec`)
        if (firstUsedNs >= 0) out.raw(` firstused ${seconds(firstUsedNs)} sec`)
      }
      out.raw('\n')
    }
    if (stats) {
      out.raw('\tAction statistics:\n')
      out.raw(
        `\tSent ${action.bytes} bytes ${action.packets} pkt (dropped ${action.drops}, overlimits ${action.overlimits} requeues 0) \n`,
      )
      out.raw('\tbacklog 0b 0p requeues 0\n')
    }
  })
}
