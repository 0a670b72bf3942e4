/** Buses and the bridges between them: what `-t` draws and `-P` walks. */
import type { Fn } from './function.ts'
import { hex } from './space.ts'

class Bus {
  readonly domain: number
  readonly number: number
  readonly above: Bridge
  readonly functions: Fn[] = []

  constructor(above: Bridge, domain: number, number: number) {
    this.above = above
    this.domain = domain
    this.number = number
  }
}

/** A bridge, or the root of all (which has no function). */
class Bridge {
  readonly fn: Fn | undefined
  readonly domain: number
  readonly primary: number
  readonly secondary: number
  readonly subordinate: number
  readonly buses: Bus[] = []
  /** Bridges below it, the last found first. */
  readonly below: Bridge[] = []

  constructor(fn?: Fn) {
    this.fn = fn
    const { primary, secondary, subordinate } = fn?.buses ?? { primary: 0, secondary: Infinity, subordinate: Infinity }
    this.domain = fn?.domain ?? 0
    this.primary = primary
    this.secondary = fn ? secondary : 0
    this.subordinate = subordinate
  }

  bus(domain: number, number: number): Bus | undefined {
    return this.buses.find((bus) => bus.domain === domain && bus.number === number)
  }

  addBus(domain: number, number: number): Bus {
    const bus = new Bus(this, domain, number)
    this.buses.push(bus)
    return bus
  }
}

export class Tree {
  readonly root = new Bridge()
  readonly #bridges: Bridge[] = []
  readonly #busOf = new Map<Fn, Bus>()
  readonly #bridgeOf = new Map<Fn, Bridge>()

  /** @param functions in the order of their addresses */
  constructor(functions: Fn[]) {
    const known = new Map(functions.map((fn) => [fn.of, fn]))
    for (const fn of functions) {
      if (!fn.isBridge) continue
      const bridge = new Bridge(fn)
      this.#bridges.push(bridge)
      this.#bridgeOf.set(fn, bridge)
    }
    const parentOf = (fn: Fn) => (fn.of.os?.parent ? known.get(fn.of.os.parent) : undefined)
    for (const bridge of this.#bridges) {
      const parent = parentOf(bridge.fn!)
      const above = (parent && this.#bridgeOf.get(parent)) ?? this.#bridgeAbove(bridge)
      above.below.unshift(bridge)
    }
    // The root has its bus, and so has each bridge, though nothing may be on it.
    this.root.addBus(0, 0)
    for (const bridge of this.#bridges) bridge.addBus(bridge.domain, bridge.secondary)
    for (const fn of functions) {
      const parent = parentOf(fn)
      const bridge = parent && this.#bridgeOf.get(parent)
      const bus = bridge ? bridge.buses[0]! : this.#place(fn, this.root)
      bus.functions.push(fn)
      this.#busOf.set(fn, bus)
    }
  }

  /** The one with the fewest buses among those that have its primary bus. */
  #bridgeAbove(bridge: Bridge): Bridge {
    let best: Bridge = this.root
    for (const other of this.#bridges) {
      if (other === bridge || other.domain !== bridge.domain) continue
      if (bridge.primary < other.secondary || bridge.primary > other.subordinate) continue
      if (best.subordinate - best.primary > other.subordinate - other.primary) best = other
    }
    return best
  }

  #place(fn: Fn, bridge: Bridge): Bus {
    const there = bridge.bus(fn.domain, fn.bus)
    if (there) return there
    for (const below of bridge.below) {
      if (below.domain === fn.domain && below.secondary <= fn.bus && fn.bus <= below.subordinate) {
        return this.#place(fn, below)
      }
    }
    return bridge.addBus(fn.domain, fn.bus)
  }

  /** The bridges above a function, the outermost first. */
  path(fn: Fn): Fn[] {
    const above = this.#busOf.get(fn)?.above.fn
    return above ? [...this.path(above), above] : []
  }

  /** The drawing. @param name what stands behind a function, @param wanted which functions are asked for */
  draw(name: (fn: Fn) => string, wanted: ((fn: Fn) => boolean) | undefined): string {
    let out = ''
    let line = ''
    const isWanted = (fn: Fn): boolean =>
      !wanted || wanted(fn) || (this.#bridgeOf.get(fn)?.buses.some(hasWanted) ?? false)
    const hasWanted = (bus: Bus): boolean => !wanted || bus.functions.some(isWanted)
    const end = (text: string) => {
      out += text.length >= 1023 ? `${text.slice(0, 1022)}...\n` : `${text}\n`
      // What goes on below: only the lines down.
      line = text.replaceAll(/./gsu, (letter) => (letter === '+' || letter === '|' ? '|' : ' '))
    }
    /** Continues with what was drawn so far, up to where this began. */
    const at = (start: string) => line.slice(0, start.length).padEnd(start.length)
    const drawFunction = (fn: Fn, start: string) => {
      let text = `${start}${hex(fn.device, 2)}.${hex(fn.func)}`
      const bridge = this.#bridgeOf.get(fn)
      if (!bridge) return end(text + name(fn))
      const { secondary, subordinate } = bridge
      if (secondary === 0) text += '-'
      else text += `-[${hex(secondary, 2)}${secondary === subordinate ? '' : `-${hex(subordinate, 2)}`}]-`
      drawBridge(bridge, text)
    }
    const drawBus = (bus: Bus, start: string) => {
      const { functions } = bus
      if (functions.length === 0) return end(start)
      if (functions.length === 1)
        return isWanted(functions[0]!) ? drawFunction(functions[0]!, `${start}--`) : end(start)
      branches(functions, isWanted, start, (fn, from) => drawFunction(fn, from))
    }
    const branches = <T>(
      items: T[],
      has: (item: T) => boolean,
      start: string,
      draw: (item: T, from: string) => void,
    ) => {
      let first = true
      for (const [i, item] of items.entries()) {
        if (!has(item)) continue
        draw(item, `${first ? start : at(start)}${i < items.length - 1 ? '+-' : '\\-'}`)
        first = false
      }
      if (first) end(start)
    }
    const drawBridge = (bridge: Bridge, from: string) => {
      const start = `${from}-`
      const head = (bus: Bus) => `[${hex(bus.domain, 4)}:${hex(bus.number, 2)}]-`
      if (bridge.buses.length > 1) {
        return branches(bridge.buses, hasWanted, start, (bus, to) => drawBus(bus, to + head(bus)))
      }
      const bus = bridge.buses[0]!
      if (!hasWanted(bus)) return end(start)
      drawBus(bus, bridge === this.root ? `${start}[${hex(this.root.domain, 4)}:${hex(bus.number, 2)}]-` : start)
    }
    drawBridge(this.root, '')
    return out
  }
}
