import { expect, test } from 'vitest'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { O_CREAT, O_TRUNC, O_WRONLY, type Sys, type SysResult } from './index.ts'
import { hostOf, imageWith } from './lab.cases.ts'
import { Pipe } from './pipe.ts'

/** The model: a tree of plain objects without links of either kind. */
type Tree = { [name: string]: Tree | string }

const IMAGE = imageWith()
const NAMES = ['a', 'b', 'c']

function somePath(random: RandomStream): string[] {
  return Array.from({ length: 1 + random.below(3) }, () => NAMES[random.below(NAMES.length)]!)
}

/** The directory that has the last name, or the error of the way there. */
function parentOf(root: Tree, path: string[]): Tree | string {
  let at: Tree | string = root
  for (const name of path.slice(0, -1)) {
    if (typeof at === 'string') return 'ENOTDIR'
    const next: Tree | string | undefined = at[name]
    if (next === undefined) return 'ENOENT'
    at = next
  }
  return typeof at === 'string' ? 'ENOTDIR' : at
}

/** What the model says, doing it. */
function modelled(root: Tree, op: string, path: string[], to: string[], text: string): string {
  const parent = parentOf(root, path)
  if (typeof parent === 'string') return parent
  const name = path.at(-1)!
  const node = parent[name]
  switch (op) {
    case 'mkdir':
      if (node !== undefined) return 'EEXIST'
      parent[name] = {}
      return 'ok'
    case 'rmdir':
      if (node === undefined) return 'ENOENT'
      if (typeof node === 'string') return 'ENOTDIR'
      if (Object.keys(node).length > 0) return 'ENOTEMPTY'
      delete parent[name]
      return 'ok'
    case 'write':
      if (typeof node === 'object') return 'EISDIR'
      parent[name] = text
      return 'ok'
    case 'unlink':
      if (node === undefined) return 'ENOENT'
      if (typeof node === 'object') return 'EISDIR'
      delete parent[name]
      return 'ok'
    default:
      return renamed(root, parent, path, to)
  }
}

function renamed(root: Tree, parent: Tree, path: string[], to: string[]): string {
  const node = parent[path.at(-1)!]
  if (node === undefined) return 'ENOENT'
  const other = parentOf(root, to)
  if (typeof other === 'string') return other
  const target = other[to.at(-1)!]
  if (target === node && path.join() === to.join()) return 'ok'
  if (typeof node === 'object' && `${to.join('/')}/`.startsWith(`${path.join('/')}/`)) return 'EINVAL'
  if (target !== undefined && `${path.join('/')}/`.startsWith(`${to.join('/')}/`)) return 'ENOTEMPTY'
  if (target !== undefined) {
    if (typeof node === 'object' && typeof target === 'string') return 'ENOTDIR'
    if (typeof node === 'string' && typeof target === 'object') return 'EISDIR'
    if (typeof target === 'object' && Object.keys(target).length > 0) return 'ENOTEMPTY'
  }
  delete parent[path.at(-1)!]
  other[to.at(-1)!] = node
  return 'ok'
}

function treeOf(host: ReturnType<typeof hostOf>, sys: Sys, path: string): Tree {
  const tree: Tree = {}
  const names = sys.readdir(path)
  if (!names.ok) throw new Error(names.errno)
  for (const name of names.value) {
    const below = `${path}/${name}`
    const stat = sys.stat(below)
    if (!stat.ok) throw new Error(stat.errno)
    if (stat.value.type === 'directory') tree[name] = treeOf(host, sys, below)
    else tree[name] = String.fromCharCode(...host.readFile(below)!)
  }
  return tree
}

function bytesIn(tree: Tree): number {
  return Object.values(tree).reduce((sum, node) => sum + (typeof node === 'string' ? node.length : bytesIn(node)), 0)
}

test('the disk does what a tree of objects does, and counts its bytes', () => {
  forSeeds(150, (random) => {
    const host = hostOf(IMAGE)
    const root: Tree = {}
    host.spawn({
      *body(sys) {
        sys.mkdir('/t')
        for (let step = 0; step < 60; step++) {
          const path = somePath(random)
          const to = somePath(random)
          const text = 'x'.repeat(random.below(600))
          const op = ['mkdir', 'mkdir', 'write', 'write', 'rmdir', 'unlink', 'rename', 'rename'][random.below(8)]!
          const at = `/t/${path.join('/')}`
          let got: SysResult<unknown>
          if (op === 'write') {
            got = yield* sys.open(at, O_CREAT | O_WRONLY | O_TRUNC)
            if (got.ok) {
              yield* sys.write(got.value as number, new Uint8Array(text.length).fill(120))
              sys.close(got.value as number)
            }
          } else if (op === 'rename') got = sys.rename(at, `/t/${to.join('/')}`)
          else got = sys[op as 'mkdir' | 'rmdir' | 'unlink'](at)
          const want = modelled(root, op, path, to, text)
          expect([op, at, got.ok ? 'ok' : got.errno]).toEqual([op, at, want])
        }
        expect(treeOf(host, sys, '/t')).toEqual(root)
        expect(host.disk.usedBytes).toBe(bytesIn(root))
        return 0
      },
    })
    host.sim.run()
  })
})

test('no path makes the walk throw or hang', () => {
  const host = hostOf(IMAGE)
  const words = [
    '',
    '.',
    '..',
    'proc',
    'self',
    'fd',
    'sys',
    'dev',
    'tmp',
    'l',
    'bin',
    'etc',
    '0',
    'x'.repeat(300),
    '\0',
    '*',
    '1',
  ]
  host.spawn({
    *body(sys) {
      yield* sys.sleep(1)
      sys.symlink('/tmp/../proc/self/cwd', '/tmp/l')
      forSeeds(3000, (random) => {
        const path = Array.from({ length: random.below(8) }, () => words[random.below(words.length)]).join('/')
        for (const call of ['stat', 'lstat', 'readdir', 'readlink', 'realpath'] as const) sys[call](path)
        if (random.below(3) === 0) sys.mkdir(path)
        if (random.below(5) === 0) sys.symlink(path, `/tmp/${random.below(5)}`)
        if (random.below(9) === 0) sys.rename(path, `/tmp/${random.below(5)}`)
      })
      return 0
    },
  })
  host.sim.run()
})

test('a pipe gives what it took, in order, and never more than it holds', () => {
  forSeeds(40, (random) => {
    const pipe = new Pipe(1)
    const reader = pipe.open(0, 'r')
    const writer = pipe.open(1, 'w')
    let next = 0
    let expected = 0
    for (let step = 0; step < 100; step++) {
      if (random.below(2) === 0) {
        const length = random.below(random.below(4) === 0 ? 80_000 : 6000)
        const bytes = Uint8Array.from({ length }, (_, i) => (next + i) & 0xff)
        const done = writer.write(bytes)
        bytes.fill(0) // The writer's buffer is its own again.
        if (done.ok) next += done.value
        else expect(done.errno).toBe('EAGAIN')
        if (length <= 4096 && done.ok) expect(done.value).toBe(length)
      } else {
        const got = reader.read(random.below(7000))
        if (got.ok) expect(got.value.findIndex((byte) => byte !== (expected++ & 0xff))).toBe(-1)
        else expect([got.errno, next]).toEqual(['EAGAIN', expected])
      }
      expect(next - expected).toBe(pipe.length)
      expect(pipe.length).toBeLessThanOrEqual(65536)
    }
  })
})
