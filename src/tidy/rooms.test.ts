/** ROOMS.md is true, and its order is the law: a room imports only rooms above it, and only through their index. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { codeOf, importsOf, ROOT, readSource, roomsOf, sourcesBelow } from './sources.ts'

const rooms = roomsOf(readSource('ROOMS.md'))
const byName = new Map(rooms.map((room) => [room.name, room]))
const NOT_ROOMS = new Set(['bench', 'tidy']) // They look at the house from outside.

/** The room that a path below src/ lies in. */
function roomOf(path: string): string | undefined {
  const [, floor = '', room = ''] = path.split('/')
  return byName.has(floor) ? floor : byName.has(`${floor}/${room}`) ? `${floor}/${room}` : undefined
}

const sources = sourcesBelow('src').filter((path) => !NOT_ROOMS.has(path.split('/')[1]!))
const isTest = (path: string) => /\.(test|cases)\.ts$/.test(path)

describe('ROOMS.md', () => {
  test('names every folder that is there, and only those', () => {
    const there = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !NOT_ROOMS.has(entry.name))
      .flatMap(({ name }) =>
        byName.has(name)
          ? [name]
          : readdirSync(join(ROOT, 'src', name), { withFileTypes: true })
              .filter((entry) => entry.isDirectory())
              .map((entry) => `${name}/${entry.name}`),
      )
    expect(there.sort()).toEqual(
      rooms
        .map((room) => room.name)
        .filter((name) => name !== 'web')
        .sort(),
    )
  })

  test.each(rooms.filter((room) => room.name !== 'web'))('$name has a README', ({ name }) => {
    expect(existsSync(join(ROOT, 'src', name, 'README.md'))).toBe(true)
  })

  test.each(rooms.filter(({ name }) => !['web', 'cli', 'backend/conformance'].includes(name)))(
    '$name has an index',
    ({ name }) => {
      expect(existsSync(join(ROOT, 'src', name, 'index.ts'))).toBe(true)
    },
  )
})

describe('imports', () => {
  test.each(sources)('%s', (path) => {
    const own = roomOf(path)
    expect(own, 'in a room').toBeDefined()
    const room = byName.get(own!)!
    for (const target of importsOf(readSource(path))) {
      if (target.startsWith('#')) {
        const other = byName.get(target.slice(1))
        expect(other, `${target} is a room`).toBeDefined()
        // A test may look down: it holds two rooms to one another.
        if (!isTest(path))
          expect(other!.place, `${own} imports ${target}, which stands below it`).toBeLessThanOrEqual(room.place)
      } else if (target.startsWith('.')) {
        const depth = path.split('/').length - 1 - (own === 'cli' ? 2 : 3)
        const ups = target.split('/').filter((part) => part === '..').length
        expect(ups, `${target} leaves the room`).toBeLessThanOrEqual(depth)
      } else if (target.startsWith('node:') && !isTest(path)) {
        expect(room.node, `${own} imports ${target}, but isn't marked (Node)`).toBe(true)
      }
    }
  })
})

/** What neutral rooms don't use, and what they use instead. */
const BANNED: [RegExp, string][] = [
  [/\bnew\s+Date\b|\bDate\s*[.(]/, 'sys.realtime(), or a number of nanoseconds'],
  [/\bMath\.random\b/, 'sim.random(name)'],
  [/\b(setTimeout|setInterval|setImmediate|requestAnimationFrame)\b/, 'a Timer of #base/sim'],
  [/\bperformance\./, 'sim.nowNs'],
  [/\b(fetch|crypto)\s*[.(]/, 'nothing: a neutral room does no input or output'],
]

describe('neutral rooms are deterministic', () => {
  const neutral = sources.filter((path) => !isTest(path) && !byName.get(roomOf(path) ?? '')?.node)
  test.each(neutral)('%s', (path) => {
    const code = codeOf(readSource(path))
    for (const [banned, instead] of BANNED) {
      expect(banned.exec(code)?.[0], `use instead: ${instead}`).toBeUndefined()
    }
  })
})

describe('optional rooms', () => {
  const optional = rooms.filter(({ name, needed }) => /^(kernel|user|cluster)\//.test(name) && !needed)
  test.each(optional)('$name is imported by the catalogue alone, or by rooms that say they need it', ({ name }) => {
    for (const path of sources) {
      const own = roomOf(path)
      if (isTest(path) || own === name || own === 'lab/catalogue') continue
      if (!importsOf(readSource(path)).includes(`#${name}`)) continue
      const says = ['index.ts', 'room.ts']
        .map((file) => `src/${own}/${file}`)
        .filter((file) => existsSync(join(ROOT, file)))
      expect(says.map(readSource).join(''), `${own} imports ${name}`).toMatch(new RegExp(`needs:.*'${name}'`))
    }
  })
})
