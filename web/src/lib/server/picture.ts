/** Lays a lab out, on the server and once for each article: hosts left and right of the networks that join them. */
import ELK, { type ElkExtendedEdge, type ElkNode } from 'elkjs/lib/elk.bundled.js'
import type { HostPlan, LabPlan, NetworkPlan } from '#lab/plan'
import type { Picture, Point } from '$lib/article.ts'

const CHARACTER = 7.3 // Of the monospace type at 12 px, in which a host's lines are set.
const LINE = 17
/** A lab of more hosts than this is drawn with groups, of at least so many. */
const HOSTS_MAX = 24
const GROUP_MIN = 6
const TILE = { width: 92, height: 24, gap: 6, top: 26 }
const elk = new ELK()

/** `wide` runs from left to right, `tall` from top to bottom, for a phone. */
export async function drawLab(plan: LabPlan, form: 'wide' | 'tall'): Promise<Picture> {
  const groups = groupsOf(plan)
  if (groups.length === 0) return draw(plan, form)
  // Each group is laid out as if it were one host; its hosts are tiles in it.
  const grouped = new Map(groups.flatMap((group) => group.hosts.map((host) => [host.name, group] as const)))
  const stand = groups.map(({ hosts, name }): HostPlan => ({ ...hosts[0]!, name, loopback: [] }))
  const reduced: LabPlan = { ...plan, hosts: [...plan.hosts.filter(({ name }) => !grouped.has(name)), ...stand] }
  const across = form === 'wide' ? 6 : 3
  const sizes = new Map(
    groups.map(({ name, hosts }) => {
      const columns = Math.min(across, hosts.length)
      const rows = Math.ceil(hosts.length / columns)
      const width = columns * (TILE.width + TILE.gap) + TILE.gap
      return [name, { columns, width, height: rows * (TILE.height + TILE.gap) + TILE.top + TILE.gap }]
    }),
  )
  const drawn = await draw(reduced, form, sizes)
  const picture: Picture = { ...drawn, hosts: [], cables: drawn.cables.filter(({ host }) => !sizes.has(host)) }
  const single = new Map(drawn.hosts.map((host) => [host.name, host]))
  for (const { name, hosts } of groups) {
    const box = single.get(name)!
    const cable = drawn.cables.find(({ host }) => host === name)!
    const { columns } = sizes.get(name)!
    const { x, y, width, height } = box
    picture.groups.push({ name, x, y, width, height, network: cable.network, points: cable.points })
    for (const [i, host] of hosts.entries()) {
      const at = {
        x: x + TILE.gap + (i % columns) * (TILE.width + TILE.gap),
        y: y + TILE.top + Math.floor(i / columns) * (TILE.height + TILE.gap),
      }
      const { lines } = boxOf(host)
      single.set(host.name, { name: host.name, ...at, width: TILE.width, height: TILE.height, lines, tile: true })
      const middle = { x: at.x + TILE.width / 2, y: at.y + TILE.height / 2 }
      const points = [middle, ...cable.points]
      picture.cables.push({ host: host.name, interface: host.interfaces[0]!.name, network: cable.network, points })
    }
  }
  picture.hosts = plan.hosts.map(({ name }) => single.get(name)!)
  return picture
}

/** Hosts of a large lab that have one cable to the same network and names alike but for a number. */
function groupsOf(plan: LabPlan): { name: string; hosts: HostPlan[] }[] {
  if (plan.hosts.length <= HOSTS_MAX) return []
  const alike = new Map<string, HostPlan[]>()
  for (const host of plan.hosts) {
    if (host.interfaces.length !== 1) continue
    const key = `${host.interfaces[0]!.network} ${host.name.replace(/\d+$/u, '')}`
    alike.set(key, [...(alike.get(key) ?? []), host])
  }
  return [...alike.values()]
    .filter((hosts) => hosts.length >= GROUP_MIN)
    .map((hosts) => ({ name: `${hosts[0]!.name}…${hosts.at(-1)!.name}`, hosts }))
}

async function draw(
  plan: LabPlan,
  form: 'wide' | 'tall',
  sizes?: Map<string, { width: number; height: number }>,
): Promise<Picture> {
  const boxes = new Map<string, { lines: { name: string; text: string }[]; width: number; height: number }>()
  for (const host of plan.hosts) boxes.set(host.name, { ...boxOf(host), ...sizes?.get(host.name) })
  const children: ElkNode[] = [
    ...plan.hosts.map(({ name }) => ({ id: `h ${name}`, ...sizeOf(boxes.get(name)!) })),
    ...plan.networks.map((network) => ({ id: `n ${network.name}`, ...networkSize(network) })),
  ]
  const wanted: ElkNode = {
    id: 'lab',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': form === 'wide' ? 'RIGHT' : 'DOWN',
      'elk.edgeRouting': 'SPLINES',
      'elk.padding': '[top=14,left=14,bottom=14,right=14]',
      'elk.spacing.nodeNode': form === 'wide' ? '22' : '16',
      'elk.layered.spacing.nodeNodeBetweenLayers': form === 'wide' ? '74' : '54',
      'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF',
      'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
    },
    children,
    edges: edgesOf(plan),
  }
  const graph: ElkNode = await elk.layout(wanted)
  const place = (id: string) => {
    const { x = 0, y = 0, width = 0, height = 0 } = graph.children!.find((child) => child.id === id)!
    return { x, y, width, height }
  }
  return {
    width: Math.ceil(graph.width ?? 0),
    height: Math.ceil(graph.height ?? 0),
    hosts: plan.hosts.map(({ name }) => ({ name, ...place(`h ${name}`), lines: boxes.get(name)!.lines })),
    groups: [],
    networks: plan.networks.map((network) => ({
      name: network.name,
      ...place(`n ${network.name}`),
      note: noteOf(network),
    })),
    cables: (graph.edges ?? []).map((edge) => {
      const [host, card, network] = edge.id.split(' ') as [string, string, string]
      const points = pointsOf(edge)
      if (edge.sources[0]!.startsWith('n ')) points.reverse()
      return { host, interface: card, network, points }
    }),
  }
}

/**
 * Which end of a cable comes first decides where ELK puts its host. A network takes what stands already on its left;
 * a first network's hosts are shared out between both sides.
 */
function edgesOf(plan: LabPlan): ElkExtendedEdge[] {
  const placed = new Set<string>()
  const edges: ElkExtendedEdge[] = []
  for (const network of plan.networks) {
    const cards = plan.hosts.flatMap((host) =>
      host.interfaces
        .filter((card) => card.network === network.name)
        .map((card) => ({ host: host.name, card: card.name })),
    )
    const news = [...new Set(cards.map(({ host }) => host))].filter((host) => !placed.has(host))
    const joined = news.length < new Set(cards.map(({ host }) => host)).size
    // A host that other networks need stands on the right, so that they can follow it.
    const leads = (host: string) =>
      new Set(plan.hosts.find(({ name }) => name === host)!.interfaces.map((c) => c.network)).size > 1
    const ends = news.filter((host) => !leads(host))
    const through = news.length - ends.length
    const left = joined
      ? 0
      : through > 0
        ? Math.max(ends.length - (ends.length > 2 ? Math.floor(ends.length / 2) : 0), 0)
        : Math.ceil(ends.length / 2)
    const onLeft = new Set([...[...placed], ...ends.slice(0, left)])
    for (const { host, card } of cards) {
      const ids = [`h ${host}`, `n ${network.name}`]
      const [source, target] = onLeft.has(host) ? ids : ids.reverse()
      edges.push({ id: `${host} ${card} ${network.name}`, sources: [source!], targets: [target!] })
    }
    for (const host of news) placed.add(host)
  }
  return edges
}

/** ELK's splines are bends of cubic Bézier curves; a packet follows points along them. */
function pointsOf(edge: ElkExtendedEdge): Point[] {
  const section = edge.sections?.[0]
  if (!section) return []
  const all = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint]
  if (all.length < 4 || (all.length - 1) % 3 !== 0) return all.map(({ x, y }) => ({ x, y }))
  const points: Point[] = [all[0]!]
  for (let at = 0; at + 3 < all.length; at += 3) {
    const [a, b, c, d] = all.slice(at, at + 4) as [Point, Point, Point, Point]
    for (let step = 1; step <= 8; step++) {
      const t = step / 8
      const mix = (axis: 'x' | 'y') =>
        (1 - t) ** 3 * a[axis] + 3 * (1 - t) ** 2 * t * b[axis] + 3 * (1 - t) * t ** 2 * c[axis] + t ** 3 * d[axis]
      points.push({ x: Math.round(mix('x') * 10) / 10, y: Math.round(mix('y') * 10) / 10 })
    }
  }
  return points
}

function boxOf(host: HostPlan) {
  const lines = host.interfaces.flatMap((card) =>
    (card.addresses.length > 0 ? card.addresses : [undefined]).map((each, at) => ({
      name: at === 0 ? card.name : '',
      text: each ? `${each.address}/${each.prefix}` : '',
    })),
  )
  for (const each of host.loopback) lines.push({ name: 'lo', text: `${each.address}/${each.prefix}` })
  const cardWidth = Math.max(...lines.map(({ name }) => name.length), 2)
  const longest = Math.max(...lines.map(({ text }) => cardWidth + 1 + text.length), 0)
  const width = Math.ceil(Math.max(longest * CHARACTER, host.name.length * 9) + 26)
  return { lines, width: Math.max(96, width), height: 32 + lines.length * LINE }
}

const sizeOf = ({ width, height }: { width: number; height: number }) => ({ width, height })

function networkSize(network: NetworkPlan) {
  const longest = Math.max(network.name.length * 8, noteOf(network).length * 6.4)
  return { width: Math.ceil(longest + 30), height: noteOf(network) ? 44 : 32 }
}

/** What a network does to its frames, as the lab file says it. */
function noteOf({ delayNs, rateBps, loss }: NetworkPlan): string {
  const rate =
    rateBps >= 1e9 ? `${rateBps / 1e9} Gbit/s` : rateBps >= 1e6 ? `${rateBps / 1e6} Mbit/s` : `${rateBps / 1e3} kbit/s`
  const parts = [
    delayNs > 0 ? `${delayNs >= 1e6 ? `${delayNs / 1e6} ms` : `${delayNs / 1e3} µs`}` : '',
    Number.isFinite(rateBps) ? rate : '',
    loss > 0 ? `−${Math.round(loss * 1e4) / 100} %` : '',
  ]
  return parts.filter((part) => part !== '').join(' · ')
}
