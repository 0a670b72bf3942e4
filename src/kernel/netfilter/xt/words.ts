/** How libxtables reads numbers, ports, addresses and marks, and how it prints them. */
import { formatIpv4, maskOf, parseIpv4, prefixOf } from '#wire/inet'
import { XtError, type XtParse, type XtPrint } from './extension.ts'

/** strtoul(3) with base 0, whole: decimal, 0x..., 0... */
export function number(text: string, max = 0xffffffff, min = 0): number | undefined {
  let value: number
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) value = Number.parseInt(text, 16)
  else if (/^0[0-7]*$/.test(text)) value = Number.parseInt(text, 8)
  else if (/^\d+$/.test(text)) value = Number(text)
  else return undefined
  return value >= min && value <= max ? value : undefined
}

/** A bounded number that an option wants. XTTYPE_UINT*. */
export function numberOption(extension: string, option: string, text: string, max = 0xffffffff, min = 0): number {
  if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) {
    throw new XtError(`${extension}: bad value for option "--${option}", or out of range (${min}-${max}).\n`)
  }
  const value = number(text, max, min)
  if (value === undefined) {
    throw new XtError(`${extension}: bad value for option "--${option}", or out of range (${min}-${max}).\n`)
  }
  return value
}

/** A port or the name of a service. */
export function port(text: string, protocol: string | undefined, with_: XtParse): number {
  const value = number(text, 65535) ?? with_.service(text, protocol)
  if (value === undefined) throw new XtError(`invalid port/service \`${text}' specified`)
  return value
}

/** `80`, `80:90`, `:90`, `80:`. */
export function portRange(text: string, protocol: string | undefined, with_: XtParse): [number, number] {
  const colon = text.indexOf(':')
  if (colon < 0) {
    const one = port(text, protocol, with_)
    return [one, one]
  }
  const from = colon === 0 ? 0 : port(text.slice(0, colon), protocol, with_)
  const to = colon === text.length - 1 ? 65535 : port(text.slice(colon + 1), protocol, with_)
  if (from > to) throw new XtError('invalid portrange (min > max)')
  return [from, to]
}

/** A port as it is printed: its service's name unless numbers are asked for. */
export function portText(value: number, protocol: string, with_: XtPrint): string {
  return (with_.numeric ? undefined : with_.serviceName(value, protocol)) ?? String(value)
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`
}

export function hexPadded(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`
}

/** A value and a mask, `5/0xff`. */
export function marked(extension: string, option: string, text: string): [number, number] {
  const slash = text.indexOf('/')
  const value = number(slash < 0 ? text : text.slice(0, slash))
  const mask = slash < 0 ? 0xffffffff : number(text.slice(slash + 1))
  if (value === undefined || mask === undefined) {
    throw new XtError(`${extension}: bad mark value for option "--${option}", or out of range.\n`)
  }
  return [value, mask]
}

/** 0x5, or 0x5/0xff. */
export function markText(value: number, mask: number): string {
  return mask === 0xffffffff ? hex(value) : `${hex(value)}/${hex(mask)}`
}

/** A string as iptables-save writes it, so that a shell or iptables-restore reads it back. xtables_save_string(). */
export function saveString(text: string): string {
  if (text !== '' && /^[A-Za-z0-9_-]+$/.test(text)) return text
  return `"${text.replace(/["\\']/g, '\\$&')}"`
}

/** A lone address. */
export function address(text: string): number {
  const value = parseIpv4(text)
  if (value === undefined) throw new XtError(`Bad IP address "${text}"\n`)
  return value
}

export function maskText(mask: number): string {
  const prefix = prefixOf(mask)
  if (prefix === 32) return ''
  return prefix === undefined ? `/${formatIpv4(mask)}` : `/${prefix}`
}

export { formatIpv4, maskOf, parseIpv4 }

/** `!` and a blank, before what is inverted. */
export function not(inverted: unknown): string {
  return inverted ? ' !' : ''
}
