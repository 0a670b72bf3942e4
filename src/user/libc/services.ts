/** /etc/services both ways, and what programs take for a port. */
import { type Body, readTextFile, type Sys } from '#kernel/core'

/** A line of /etc/services. */
export interface Service {
  name: string
  aliases: string[]
  port: number
  protocol: string
}

/** All lines, in order; none if there is no such file. */
export function* readServices(sys: Sys): Body<Service[]> {
  const file = yield* readTextFile(sys, '/etc/services')
  const services: Service[] = []
  for (const line of (file.ok ? file.value : '').split('\n')) {
    const match = /^(\S+)\s+(\d+)\/(\w+)\s*(.*)/.exec(line.replace(/#.*/, ''))
    if (!match) continue
    const aliases = match[4]!.trim()
    services.push({
      name: match[1]!,
      port: Number(match[2]),
      protocol: match[3]!,
      aliases: aliases === '' ? [] : aliases.split(/\s+/),
    })
  }
  return services
}

/** getservbyport(3). */
export function* serviceName(sys: Sys, port: number, protocol: string): Body<string | undefined> {
  return (yield* readServices(sys)).find((one) => one.port === port && one.protocol === protocol)?.name
}

/** getservbyname(3), or the number that a text is; undefined if it is neither. */
export function* servicePort(sys: Sys, text: string, protocol: string): Body<number | undefined> {
  if (/^\d+$/.test(text)) return Number(text) <= 65535 ? Number(text) : undefined
  const services = yield* readServices(sys)
  return services.find((one) => one.protocol === protocol && (one.name === text || one.aliases.includes(text)))?.port
}
