/** What IPVS is told, with its refusals as the log has them. keepalived 2.2.7 check/ipvswrapper.c, check/libipvs.c */
import { ERRNO, type Errno, type Sys, strerror } from '#kernel/core'
import { AF_INET, AF_INET6, type DestKey, type IpvsRequest, type ServiceKey } from '#kernel/ipvs'
import {
  type GroupEntry,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type RealServer,
  realWeight,
  type VirtualServer,
} from './check-model.ts'
import type { Log } from './log.ts'
import { isIpv6, showAddress } from './model.ts'

/** IP_VS_SO_SET_*, as it calls what it wants. include/uapi/linux/ip_vs.h */
const COMMANDS = {
  ADD: 1154,
  EDIT: 1155,
  DEL: 1156,
  FLUSH: 1157,
  ADDDEST: 1159,
  DELDEST: 1160,
  EDITDEST: 1161,
  TIMEOUT: 1162,
  STARTDAEMON: 1163,
  STOPDAEMON: 1164,
}
export type Command = keyof typeof COMMANDS

const SVC_F_PERSISTENT = 1
const ALL = 0xffff_ffff

const OWN_TEXTS: Partial<Record<Command, Partial<Record<Errno, string>>>> = {
  ADD: { EEXIST: 'Service already exists', ENOENT: 'Scheduler or persistence engine not found' },
  EDIT: { ENOENT: 'Scheduler or persistence engine not found' },
  ADDDEST: { EEXIST: 'Destination already exists' },
  EDITDEST: { ENOENT: 'No such destination' },
  DELDEST: { ENOENT: 'No such destination' },
  STARTDAEMON: { EEXIST: 'Daemon has already run' },
  STOPDAEMON: { ESRCH: 'No daemon is running' },
}

const TEXTS: Partial<Record<Errno, string>> = {
  ESRCH: 'No such service',
  EPERM: 'Permission denied (you must be root)',
  EINVAL: 'Invalid operation.  Possibly wrong module version, address not unicast, ...',
  ENOPROTOOPT: 'Protocol not available',
  ENOMEM: 'Memory allocation problem',
  EOPNOTSUPP: 'Operation not supported with IPv6',
  EAFNOSUPPORT: 'Operation not supported with specified address family',
  EMSGSIZE: 'Module is wrong version',
}

const PROTOCOLS: Record<number, string> = { [IPPROTO_TCP]: 'tcp', [IPPROTO_UDP]: 'udp', [IPPROTO_SCTP]: 'sctp' }

export class IpvsControl {
  readonly #sys: Sys
  readonly #log: Log
  /** How many real servers each entry of a group has, by family and protocol. */
  #alive = new Map<GroupEntry, Map<number, number>>()

  constructor(sys: Sys, log: Log) {
    this.#sys = sys
    this.#log = log
  }

  /** Whether there is IPVS. */
  get present(): boolean {
    return this.#sys.netlink({ type: 'IPVS_CMD_GET_INFO' }).ok
  }

  /** False: refused, and said so. */
  ask(command: Command, request: IpvsRequest, where: () => string, quiet = false): boolean {
    let answer = this.#sys.netlink(request)
    let asked = command
    if (!answer.ok && command === 'EDITDEST' && answer.errno === 'ENOENT') {
      asked = 'ADDDEST'
      answer = this.#sys.netlink({ ...request, type: 'IPVS_CMD_NEW_DEST' })
    }
    if (answer.ok || quiet) return true
    const { errno } = answer
    const text = OWN_TEXTS[asked]?.[errno] ?? TEXTS[errno] ?? strerror(errno)
    this.#log.info(`IPVS cmd IP_VS_SO_SET_${asked}(${COMMANDS[asked]}) error: ${text}(${ERRNO[errno][0]})${where()}`)
    // It is as it should be already.
    if (errno === 'EEXIST') return asked === 'ADD' || asked === 'ADDDEST'
    return errno === 'ENOENT' && (asked === 'DEL' || asked === 'DELDEST')
  }

  flush(): void {
    this.ask('FLUSH', { type: 'IPVS_CMD_FLUSH' }, () => '')
  }

  /** A virtual server, or one of its real servers. */
  command(wanted: Command, server: VirtualServer, real?: RealServer): boolean {
    let command = wanted
    let weight = real ? realWeight(real.effectiveWeight) : 0
    if (real) {
      if (command === 'DELDEST' && real.inhibit) {
        weight = 0
        command = 'EDITDEST'
      } else if (command === 'ADDDEST' && real.inhibit && real.set) command = 'EDITDEST'
      else if (command === 'ADDDEST' && !real.set) {
        real.set = true
        if (real.inhibit && real.failedCheckers > 0) weight = 0
      } else if (command === 'DELDEST' && real.set) real.set = false
    }
    if (server.group) return this.#group(command, server, real, weight)
    if (server.mark !== undefined) {
      const af = server.family === 6 ? AF_INET6 : AF_INET
      return this.#tell(command, server, { af, fwmark: server.mark }, real, weight, 0)
    }
    const { address, port } = server.endpoint!
    return this.#tell(command, server, keyOf(server, address, port), real, weight, port)
  }

  #group(command: Command, server: VirtualServer, real: RealServer | undefined, weight: number): boolean {
    for (const entry of server.group!.entries) {
      const counts = this.#alive.get(entry) ?? new Map<number, number>()
      this.#alive.set(entry, counts)
      const kind = 'from' in entry ? server.protocol : server.family === 6 ? -6 : -4
      const count = counts.get(kind) ?? 0
      if (needed(command, count, real)) {
        if ('from' in entry) {
          const last = typeof entry.to === 'number' ? entry.to : 0
          for (let at = entry.from; ; at++) {
            if (!this.#tell(command, server, keyOf(server, at, entry.port), real, weight, entry.port)) return false
            if (typeof at !== 'number' || at === last) break
          }
        } else {
          const af = (entry.family ?? server.family ?? 4) === 6 ? AF_INET6 : AF_INET
          if (!this.#tell(command, server, { af, fwmark: entry.mark }, real, weight, 0)) return false
        }
      }
      if (command === 'ADDDEST') counts.set(kind, count + 1)
      else if (command === 'DELDEST') counts.set(kind, count - 1)
    }
    return true
  }

  #tell(
    command: Command,
    server: VirtualServer,
    service: ServiceKey,
    real: RealServer | undefined,
    weight: number,
    port: number,
  ): boolean {
    if (!real) {
      const where = () => ` (${showKey(service)})`
      if (command === 'DEL') return this.ask(command, { type: 'IPVS_CMD_DEL_SERVICE', service }, where)
      const persistent = server.persistenceS > 0
      return this.ask(
        command,
        {
          type: command === 'ADD' ? 'IPVS_CMD_NEW_SERVICE' : 'IPVS_CMD_SET_SERVICE',
          service,
          schedName: server.scheduler!,
          ...(persistent && server.engine !== undefined ? { peName: server.engine } : {}),
          flags: server.flags | (persistent ? SVC_F_PERSISTENT : 0),
          flagsMask: ALL,
          timeout: server.persistenceS,
          netmask: persistent && server.granularity !== ALL ? server.granularity : service.af === AF_INET6 ? 128 : ALL,
        },
        where,
      )
    }
    const { address } = real.endpoint
    const dest: DestKey = {
      af: isIpv6(address) ? AF_INET6 : AF_INET,
      addr: address,
      port: real.method === 0 ? real.endpoint.port : port,
    }
    const where = () => ` (${showKey(service)} -> ${showAddress(address)}:${dest.port})`
    if (command === 'DELDEST') return this.ask(command, { type: 'IPVS_CMD_DEL_DEST', service, dest }, where)
    return this.ask(
      command,
      {
        type: command === 'ADDDEST' ? 'IPVS_CMD_NEW_DEST' : 'IPVS_CMD_SET_DEST',
        service,
        dest,
        fwdMethod: real.method ?? 0,
        weight,
        uThresh: real.upper,
        lThresh: real.lower,
        tunType: real.tunnel.type,
        tunPort: real.tunnel.port,
        tunFlags: real.tunnel.flags,
      },
      where,
    )
  }
}

/** Several virtual servers may share a group's entries. */
function needed(command: Command, count: number, real: RealServer | undefined): boolean {
  if (command === 'ADD' || command === 'DEL') return count === 0
  if (command === 'ADDDEST') return !real?.alive
  return command === 'DELDEST' ? real?.alive === true : true
}

function keyOf(server: VirtualServer, addr: ServiceKey['addr'] & {}, port: number): ServiceKey {
  return { af: isIpv6(addr) ? AF_INET6 : AF_INET, protocol: server.protocol, addr, port }
}

function showKey({ af, fwmark, protocol, addr, port }: ServiceKey): string {
  if (fwmark !== undefined) return `Fwm ${fwmark}${af === AF_INET6 ? ' inet6' : ''}`
  return `${showAddress(addr!)}:${PROTOCOLS[protocol!] ?? protocol}:${port}`
}
