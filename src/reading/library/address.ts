/**
 * When two addresses are one entry: without fragments, default ports and what only tells where a reader came from. What
 * could make another page of it (order of parameters, a slash at the end, http for https) stays as it is.
 */
import { siteOf } from './entry.ts'

export interface Address {
  /** As it is kept and compared. */
  url: string
  /** The site that it belongs to; see siteOf. In letters, not Punycode. */
  site: string
}

export const URL_MAX = 8192

/** Parameters that say how a reader came, not what the page is. */
const TRACKING =
  /^(?:utm_[a-z_]+|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|twclid|ttclid|igshid|igsh|mc_cid|mc_eid|_hsenc|_hsmi|mkt_tok|vero_id|oly_enc_id|oly_anon_id|wickedid|_openstat|ref_src|ref_url|spm|__twitter_impression|cmpid|s_cid|yjr|ved)$/u

/** The address as it is kept; or, as text, why it can't be. */
export function parseAddress(text: string): Address | string {
  if (text.length > URL_MAX) return `an address of ${text.length} characters`
  const trimmed = text.trim()
  if (/[\u0000-\u001f\u007f]/u.test(trimmed)) return 'a control character in its address'
  if (!URL.canParse(trimmed)) return 'not an address'
  const url = new URL(trimmed)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `${url.protocol.slice(0, 20)} is not a page of the Web`
  if (url.username !== '' || url.password !== '') return 'a user name or password in its address'
  // A fragment is a place within the page; but `#!` and `#/` are pages of those that a script draws.
  if (!/^#[!/]./u.test(url.hash)) url.hash = ''
  const kept = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !TRACKING.test(nameOf(pair)))
  url.search = kept.length > 0 ? `?${kept.join('&')}` : ''
  // A dot at a host's end changes nothing; default ports and capitals are gone already, IDN is Punycode.
  if (url.hostname.endsWith('.') && url.hostname.length > 1) url.hostname = url.hostname.slice(0, -1)
  return { url: url.href, site: siteOf(decodeHost(url.hostname)) }
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=')
  return (equals < 0 ? pair : pair.slice(0, equals)).toLowerCase()
}

/** An internationalised host name in its letters, where that is safe to show: labels of one script beside ASCII. */
export function decodeHost(host: string): string {
  if (!host.includes('xn--')) return host
  const labels = host.split('.').map((label) => (label.startsWith('xn--') ? decodePunycode(label.slice(4)) : label))
  const shown = labels.map((label, i) => (label !== undefined && isHonest(label) ? label : host.split('.')[i]!))
  return shown.join('.')
}

// Japanese writes in several scripts at once; all others are taken for a disguise when they mix with Latin.
function isHonest(label: string): boolean {
  if (/^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー々a-z0-9-]+$/u.test(label)) return true
  if (/[a-z]/u.test(label)) return /^[\p{Script=Latin}0-9-]+$/u.test(label)
  return /^[\p{L}\p{M}\p{N}-]+$/u.test(label) && !/[\p{Script=Cyrillic}\p{Script=Greek}]/u.test(label)
}

/** RFC 3492, section 6.2; undefined for what isn't Punycode. */
function decodePunycode(text: string): string | undefined {
  const output: number[] = []
  const dash = text.lastIndexOf('-')
  for (let i = 0; i < dash; i++) output.push(text.charCodeAt(i))
  let n = 128
  let bias = 72
  let i = 0
  for (let at = dash < 0 ? 0 : dash + 1; at < text.length; ) {
    const before = i
    let weight = 1
    for (let k = 36; ; k += 36) {
      const digit = digitOf(text.charCodeAt(at++))
      if (digit < 0) return undefined
      i += digit * weight
      const threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias
      if (digit < threshold) break
      weight *= 36 - threshold
      if (weight > 0x7fffffff) return undefined
    }
    const length = output.length + 1
    let delta = Math.floor((i - before) / (before === 0 ? 700 : 2))
    delta += Math.floor(delta / length)
    let k = 0
    for (; delta > 455; k += 36) delta = Math.floor(delta / 35)
    bias = k + Math.floor((36 * delta) / (delta + 38))
    n += Math.floor(i / length)
    i %= length
    if (n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff)) return undefined
    output.splice(i++, 0, n)
  }
  return String.fromCodePoint(...output)
}

function digitOf(code: number): number {
  if (code >= 0x61 && code <= 0x7a) return code - 0x61
  if (code >= 0x41 && code <= 0x5a) return code - 0x41
  return code >= 0x30 && code <= 0x39 ? code - 22 : -1
}
