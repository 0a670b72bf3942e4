/**
 * DNS messages: bytes, names and the text of records.
 *
 *     const bytes = emitDns(dnsQuery(4711, 'www.example.org.', 1))
 *     const answer = parseDns(bytes) // undefined unless well-formed
 */
export * from './message.ts'
export { canonicalName, labelsOf, parseName, reverseName } from './name.ts'
export { formatDnsData, formatDnsIpv6 } from './text.ts'
export * from './types.ts'
