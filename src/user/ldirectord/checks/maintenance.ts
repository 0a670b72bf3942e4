/** A file in the maintenance directory takes a server down, by address or name, with the port or without. */
import type { Body } from '#kernel/core'
import { lookupAddress, parseAddress } from '#user/libc'
import type { Checking } from './check.ts'

const NAME_LINE = 2950

export function* inMaintenance(check: Checking): Body<boolean> {
  const { maintenancedir } = check.director.configuration.globals
  if (!maintenancedir) return false
  const { server, port } = check.real
  const names = [server]
  const address = parseAddress(server.replace(/[[\]]/g, ''))
  const found = address && (yield* lookupAddress(check.sys, address))
  if (!found?.ok) {
    yield* check.output.warn('Use of uninitialized value $servername in pattern match (m//)', NAME_LINE)
  } else {
    names.push(found.name)
    const short = /^([a-z][a-z0-9-]+)\./.exec(found.name)?.[1]
    if (short !== undefined) names.push(short)
  }
  for (const name of names.flatMap((one) => [`${one}:${port}`, one])) {
    if (!check.sys.access(`${maintenancedir}/${name}`, 'exists').ok) continue
    yield* check.debug(2, `Server maintenance: Found file ${name}`)
    return true
  }
  return false
}
