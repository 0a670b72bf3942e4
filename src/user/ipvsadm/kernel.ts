/** What is asked of IPVS, and what its refusals mean to whoever asked. */
import { type Errno, type Sys, strerror } from '#kernel/core'
import type { DaemonMessage, DestMessage, IpvsRequest, ServiceKey, ServiceMessage } from '#kernel/ipvs'
import type { DaemonSpec, DestSpec, Request, ServiceSpec } from './request.ts'
import type { Command } from './rules.ts'

/** A refusal. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly errno: Errno

  constructor(errno: Errno) {
    super(errno)
    this.errno = errno
  }
}

const BY_COMMAND: Partial<Record<Command, Partial<Record<Errno, string>>>> = {
  'add-service': { EEXIST: 'Service already exists', ENOENT: 'Scheduler or persistence engine not found' },
  'edit-service': { ESRCH: 'No such service', ENOENT: 'Scheduler or persistence engine not found' },
  'delete-service': { ESRCH: 'No such service' },
  zero: { ESRCH: 'No such service' },
  'add-server': { ESRCH: 'Service not defined', EEXIST: 'Destination already exists' },
  'edit-server': { ESRCH: 'Service not defined', ENOENT: 'No such destination' },
  'delete-server': { ESRCH: 'Service not defined', ENOENT: 'No such destination' },
  'start-daemon': { EEXIST: 'Daemon has already run' },
  'stop-daemon': { ESRCH: 'No daemon is running' },
  list: { ESRCH: 'No such service' },
}

const USUAL: Partial<Record<Errno, string>> = {
  EPERM: 'Permission denied (you must be root)',
  EINVAL: 'Invalid operation.  Possibly wrong module version, address not unicast, ...',
  ENOPROTOOPT: 'Protocol not available',
  ENOMEM: 'Memory allocation problem',
  EOPNOTSUPP: 'Operation not supported with IPv6',
  EAFNOSUPPORT: 'Operation not supported with specified address family',
  EMSGSIZE: 'Module is wrong version',
}

/** A refusal in words: some errors mean something of their own to a command. */
export function refusalText(command: Command, errno: Errno): string {
  return BY_COMMAND[command]?.[errno] ?? USUAL[errno] ?? strerror(errno)
}

/** Asks, and throws what is refused. */
export function ask(sys: Sys, request: IpvsRequest): unknown[] {
  const answer = sys.netlink(request)
  if (!answer.ok) throw new Refused(answer.errno)
  return answer.messages
}

/** The module's version and the size of its table; undefined if there is no IPVS. */
export function getInfo(sys: Sys): { version: number; connTabSize: number } | undefined {
  const answer = sys.netlink({ type: 'IPVS_CMD_GET_INFO' })
  return answer.ok ? (answer.messages[0] as { version: number; connTabSize: number }) : undefined
}

export function getServices(sys: Sys): ServiceMessage[] {
  return ask(sys, { type: 'IPVS_CMD_GET_SERVICE' }) as ServiceMessage[]
}

export function getService(sys: Sys, svc: ServiceSpec): ServiceMessage {
  return ask(sys, { type: 'IPVS_CMD_GET_SERVICE', service: keyOf(svc) })[0] as ServiceMessage
}

export function getDests(sys: Sys, service: ServiceMessage): DestMessage[] {
  const { af, fwmark, protocol, addr, port } = service
  const key = fwmark !== 0 ? { af, fwmark } : { af, protocol, addr, port }
  return ask(sys, { type: 'IPVS_CMD_GET_DEST', service: key }) as DestMessage[]
}

export function getTimeouts(sys: Sys): { timeoutTcp: number; timeoutTcpFin: number; timeoutUdp: number } {
  return ask(sys, { type: 'IPVS_CMD_GET_CONFIG' })[0] as ReturnType<typeof getTimeouts>
}

export function getDaemons(sys: Sys): DaemonMessage[] {
  return ask(sys, { type: 'IPVS_CMD_GET_DAEMON' }) as DaemonMessage[]
}

function keyOf(svc: ServiceSpec): ServiceKey {
  const af = svc.af as ServiceKey['af']
  return svc.fwmark !== 0 ? { af, fwmark: svc.fwmark } : { af, protocol: svc.protocol, addr: svc.addr, port: svc.port }
}

/** The request that a command makes. */
export function changeOf(request: Request): IpvsRequest {
  const { command, svc, dest, daemon, timeouts } = request
  switch (command) {
    case 'flush':
      return { type: 'IPVS_CMD_FLUSH' }
    case 'add-service':
    case 'edit-service':
      return {
        type: command === 'add-service' ? 'IPVS_CMD_NEW_SERVICE' : 'IPVS_CMD_SET_SERVICE',
        service: keyOf(svc),
        schedName: svc.schedName,
        ...(svc.peName === '' ? {} : { peName: svc.peName }),
        flags: svc.flags,
        flagsMask: 0xffffffff,
        timeout: svc.timeout,
        netmask: svc.netmask,
      }
    case 'delete-service':
      return { type: 'IPVS_CMD_DEL_SERVICE', service: keyOf(svc) }
    case 'zero':
      return isNone(svc) ? { type: 'IPVS_CMD_ZERO' } : { type: 'IPVS_CMD_ZERO', service: keyOf(svc) }
    case 'add-server':
    case 'edit-server':
      return {
        type: command === 'add-server' ? 'IPVS_CMD_NEW_DEST' : 'IPVS_CMD_SET_DEST',
        service: keyOf(svc),
        dest: destKey(dest),
        fwdMethod: dest.connFlags,
        weight: dest.weight,
        uThresh: dest.uThreshold,
        lThresh: dest.lThreshold,
        tunType: dest.tunType,
        tunPort: dest.tunPort,
        tunFlags: dest.tunFlags,
      }
    case 'delete-server':
      return { type: 'IPVS_CMD_DEL_DEST', service: keyOf(svc), dest: destKey(dest) }
    case 'set':
      return {
        type: 'IPVS_CMD_SET_CONFIG',
        timeoutTcp: timeouts[0],
        timeoutTcpFin: timeouts[1],
        timeoutUdp: timeouts[2],
      }
    case 'start-daemon':
      return { type: 'IPVS_CMD_NEW_DAEMON', daemon: daemonMessage(daemon) }
    case 'stop-daemon':
      return { type: 'IPVS_CMD_DEL_DAEMON', state: daemon.state }
    default:
      throw new Error(`${command} changes nothing`)
  }
}

/** 0.0.0.0:0 stands for all services. */
function isNone({ fwmark, addr, port }: ServiceSpec): boolean {
  const any = typeof addr === 'number' ? addr === 0 : (addr.w0 | addr.w1 | addr.w2 | addr.w3) === 0
  return fwmark === 0 && port === 0 && any
}

function destKey(dest: DestSpec) {
  return { af: dest.af as ServiceKey['af'], addr: dest.addr, port: dest.port }
}

function daemonMessage(daemon: DaemonSpec): DaemonMessage {
  return {
    state: daemon.state,
    mcastIfn: daemon.mcastIfn,
    syncId: daemon.syncid,
    ...(daemon.syncMaxlen === 0 ? {} : { syncMaxlen: daemon.syncMaxlen }),
    ...(daemon.mcastPort === 0 ? {} : { mcastPort: daemon.mcastPort }),
    ...(daemon.mcastTtl === 0 ? {} : { mcastTtl: daemon.mcastTtl }),
    ...(daemon.mcastAf === 0 ? {} : { mcastGroup: daemon.mcastGroup }),
  }
}
