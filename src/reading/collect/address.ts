/** Which addresses a page may be fetched from: those of the public Internet, and no others unless the owner says so. */
import ipaddr from 'ipaddr.js'

/** Why a connection to an address isn't made; undefined if it may be. */
export function whyNotPublic(address: string): string | undefined {
  const bare = address.replace(/^\[|\]$/gu, '').replace(/%.*$/u, '')
  if (!ipaddr.isValid(bare)) return 'not an address'
  return rangeOf(ipaddr.parse(bare))
}

function rangeOf(address: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
  if (address.kind() === 'ipv6') {
    const six = address as ipaddr.IPv6
    // An IPv4 address in IPv6's clothes is judged by what it is.
    if (six.isIPv4MappedAddress()) return rangeOf(six.toIPv4Address())
    const bytes = six.toByteArray()
    const four = (at: number) => rangeOf(new ipaddr.IPv4(bytes.slice(at, at + 4)))
    if (bytes[0] === 0x20 && bytes[1] === 0x02) return four(2) // 6to4. RFC 3056
    if (bytes.slice(0, 12).every((byte, i) => byte === [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0][i]))
      return four(12) // NAT64. RFC 6052
    if (bytes.slice(0, 12).every((byte) => byte === 0) && bytes[12] !== 0) return four(12) // "Compatible", long given up.
  }
  const range = address.range()
  return range === 'unicast' ? undefined : range.replace(/([A-Z])/gu, (letter) => ` ${letter.toLowerCase()}`)
}
