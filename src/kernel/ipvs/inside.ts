/** Virtual services with their real servers, and connections, for pages. */
import { type InsideRow, insideViews, type KernelImage } from '#kernel/core'
import type { Dest } from './dest.ts'
import { endText, forwardName, protocolName, serviceText } from './names.ts'
import { stateName } from './proto.ts'
import type { Service } from './service.ts'
import { ipvsState } from './state.ts'

function serviceRow(svc: Service): InsideRow {
  return { key: serviceText(svc), cells: [serviceText(svc), svc.scheduler?.name ?? 'none', '', '', ''] }
}

function destRow(svc: Service, dest: Dest): InsideRow {
  const to = endText(dest.addr, dest.port)
  return {
    key: `${serviceText(svc)} ${to}`,
    under: serviceText(svc),
    cells: [to, forwardName(dest.method), String(dest.weight), String(dest.activeConns), String(dest.inactConns)],
    weight: dest.activeConns + dest.inactConns,
  }
}

/** Adds the views `ipvs` and `ipvs connections`. */
export function installInside(image: KernelImage): void {
  const views = insideViews(image)
  views.set('ipvs', {
    columns: ['Service, server', 'Forward', 'Weight', 'ActiveConn', 'InActConn'],
    look(host) {
      const services = ipvsState.peek(host)?.services.list() ?? []
      if (services.length === 0) return undefined
      return services.flatMap((svc) => [
        serviceRow(svc),
        ...svc.destinations.toReversed().map((dest) => destRow(svc, dest)),
      ])
    },
  })
  views.set('ipvs connections', {
    columns: ['Protocol', 'State', 'Source', 'Virtual', 'Destination'],
    look(host) {
      const connections = ipvsState.peek(host)?.conns.list() ?? []
      if (connections.length === 0) return undefined
      return connections.map((cp) => {
        const ends = [endText(cp.caddr, cp.cport), endText(cp.vaddr, cp.vport), endText(cp.daddr, cp.dport)]
        const protocol = protocolName(cp.protocol)
        return { key: `${protocol} ${ends.join(' ')}`, cells: [protocol, stateName(cp), ...ends] }
      })
    },
  })
}
