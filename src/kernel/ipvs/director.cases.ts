/** A director for tests: what comes in, and what would leave it. */
import { SimLab } from '#backend/sim'
import type { Host } from '#kernel/core'
import { deviceByName, NF_DROP, packetHooks } from '#kernel/net'
import { parseLab } from '#lab/plan'
import { Packet, parseIpv4 } from '#wire/inet'
import { AF_INET, IP_VS_CONN_F_MASQ, type IpvsRequest, ipvsRequest, ipvsState, type ServiceFields } from './index.ts'

const LAB = `
networks: { left: {}, right: {} }
hosts:
  d: { eth0: left 10.0.0.254/24 10.0.0.100/24, eth1: right 10.0.1.254/24, sysctl: { net.ipv4.ip_forward: 1 } }
`

export const VIP = parseIpv4('10.0.0.100')!
export const CLIENT = parseIpv4('10.0.0.1')!

/** 10.0.1.N. */
export function server(n: number): number {
  return parseIpv4(`10.0.1.${n}`)!
}

export function service(protocol: number, port: number) {
  return { af: AF_INET, protocol, addr: VIP, port } as const
}

export const FIELDS: ServiceFields = {
  schedName: 'rr',
  flags: 0,
  flagsMask: 0xffffffff,
  timeout: 0,
  netmask: 0xffffffff,
}

export function director(seed = 1) {
  const lab = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed, start: 0, capture: false })
  const { sim } = lab.world
  sim.run(3e9)
  const host: Host = lab.world.host('d').kernel
  const sent: Packet[] = []
  packetHooks(host).add('POST_ROUTING', {
    name: 'end',
    priority: 2147483647,
    run({ packet }) {
      sent.push(packet.clone())
      return NF_DROP
    },
  })
  const ask = (request: IpvsRequest) => {
    const answer = ipvsRequest(host, request)
    return answer.ok ? answer.messages : answer.errno
  }
  return {
    host,
    sim,
    ipvs: ipvsState.of(host),
    ask,
    add(protocol: number, port: number, fields: Partial<ServiceFields> = {}) {
      return ask({ type: 'IPVS_CMD_NEW_SERVICE', service: service(protocol, port), ...FIELDS, ...fields })
    },
    addServer(protocol: number, port: number, n: number, more: object = {}) {
      return ask({
        type: 'IPVS_CMD_NEW_DEST',
        service: service(protocol, port),
        dest: { addr: server(n), port },
        fwdMethod: IP_VS_CONN_F_MASQ,
        weight: 1,
        uThresh: 0,
        lThresh: 0,
        ...more,
      })
    },
    /** What leaves when this comes in. */
    pass(fields: Partial<Packet>, by: 'eth0' | 'eth1' = 'eth0'): Packet[] {
      sent.length = 0
      const packet = Object.assign(new Packet(), { etherType: 0x0800, ttl: 64, src: CLIENT, dst: VIP }, fields)
      const device = deviceByName(host, by)!
      packet.macDst = device.address
      device.receive(packet)
      return sent.slice()
    },
  }
}
