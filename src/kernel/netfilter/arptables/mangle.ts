/** The target `mangle`: writes addresses of an ARP packet anew. Linux 6.1 net/ipv4/netfilter/arpt_mangle.c. */
import { NF_ACCEPT, NF_DROP } from '#kernel/net'
import { formatIpv4 } from '#wire/inet'
import { formatMac } from '#wire/link'
import { GO_ON } from '../run.ts'
import type { XtTarget } from '../xt/extension.ts'

export interface MangleInfo {
  sourceMac?: number
  sourceIp?: number
  targetMac?: number
  targetIp?: number
  verdict: 'ACCEPT' | 'DROP' | 'CONTINUE'
}

/** Its words, as it is printed. */
export function formatMangle(info: MangleInfo, numeric: boolean, addressName: (address: number) => string): string {
  const words: string[] = []
  const ip = (value: number) => (numeric ? formatIpv4(value) : addressName(value))
  if (info.sourceIp !== undefined) words.push(`--mangle-ip-s ${ip(info.sourceIp)}`)
  if (info.sourceMac !== undefined) words.push(`--mangle-mac-s ${formatMac(info.sourceMac)}`)
  if (info.targetIp !== undefined) words.push(`--mangle-ip-d ${ip(info.targetIp)}`)
  if (info.targetMac !== undefined) words.push(`--mangle-mac-d ${formatMac(info.targetMac)}`)
  if (info.verdict !== 'ACCEPT') words.push(`--mangle-target ${info.verdict}`)
  return words.join(' ')
}

/** As the kernel has it; `arptables` reads its options itself. */
export const mangle: XtTarget<MangleInfo> = {
  kind: 'target',
  name: 'mangle',
  revision: 0,
  families: ['arp'],
  help: '',
  options: [],
  init: () => ({ verdict: 'ACCEPT' }),
  parse() {},
  finish: (state) => ({ ...state }),
  print: () => '',
  save: () => '',
  check(info) {
    // Nothing to change is a mistake.
    return Object.keys(info).length < 2 ? 'EINVAL' : undefined
  },
  run(info) {
    const { sourceMac, sourceIp, targetMac, targetIp, verdict } = info as unknown as MangleInfo
    const answer = verdict === 'ACCEPT' ? NF_ACCEPT : verdict === 'DROP' ? NF_DROP : GO_ON
    return ({ packet }) => {
      if (sourceMac !== undefined) packet.arpSha = sourceMac
      if (sourceIp !== undefined) packet.arpSpa = sourceIp
      if (targetMac !== undefined) packet.arpTha = targetMac
      if (targetIp !== undefined) packet.arpTpa = targetIp
      return answer
    }
  },
}
