/** Namespaces without any network: whose states are whose, what keeps one, what a path leads to. */
import { expect, test } from 'vitest'
import { Simulator } from '#base/sim'
import {
  createHost,
  createNetns,
  defineState,
  type Host,
  type KernelHost,
  Netns,
  netnsesOf,
  type Sys,
} from './index.ts'
import { createImage } from './kernel-image.ts'
import type { SpawnBody } from './sys.ts'

const counters = defineState(() => ({ count: 0 }))
const machines = defineState((host) => ({ name: host.name }), { per: 'machine' })

function machine(): { sim: Simulator; host: KernelHost; ended: string[] } {
  const ended: string[] = []
  const image = createImage({ release: '6.1.0-test', profile: 'linux-6.1' })
  image.onNetnsEnd((netns) => ended.push(netns.name))
  image.socketFamily('AF_TEST', (owner) => ({ ok: true, value: socketOf(owner) }))
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'a', number: 1, startS: 0 })
  return { sim, host, ended }
}

function socketOf(owner: Host) {
  return {
    flags: 0,
    references: 0,
    description: 'socket:[1]',
    queue: { add() {}, remove() {}, wake() {}, empty: true },
    owner,
    stat: () => ({ type: 'socket', mode: 0, size: 0, inode: 1, links: 1, uid: 0, gid: 0, mtimeNs: 0 }),
    read: () => ({ ok: false, errno: 'EAGAIN' }),
    write: () => ({ ok: false, errno: 'EAGAIN' }),
    poll: () => 0,
    socket: {},
  } as never
}

function runBody(host: KernelHost, sim: Simulator, body: SpawnBody): void {
  host.spawn({ body })
  sim.run(sim.nowNs + 1e9)
}

test('a state is a namespace’s own, unless it is the machine’s', () => {
  const { host } = machine()
  const blue = createNetns(host, 'blue')
  counters.of(host).count = 7
  expect(counters.of(blue).count).toBe(0)
  expect(machines.of(blue)).toBe(machines.of(host))
  expect(machines.of(blue).name).toBe('a')
  expect(blue.name).toBe('a/blue')
  expect(netnsesOf(host)).toEqual([blue])
})

test('a name keeps a namespace, and so do processes, descriptors and sockets', () => {
  const { sim, host, ended } = machine()
  host.writeFile('/run/netns/blue', '')
  runBody(host, sim, function* (sys: Sys) {
    sys.unshare('CLONE_NEWNET')
    expect(sys.mount('/proc/self/ns/net', '/run/netns/blue', 'bind').ok).toBe(true)
    return 0
  })
  expect(netnsesOf(host).map((netns) => netns.name)).toEqual(['a/blue'])
  expect(ended).toEqual([])
  runBody(host, sim, function* (sys: Sys) {
    expect(sys.unlink('/run/netns/blue')).toEqual({ ok: false, errno: 'EBUSY' })
    const fd = yield* sys.open('/run/netns/blue')
    if (!fd.ok) return 1
    expect(sys.setns(fd.value).ok).toBe(true)
    const socket = sys.socket('AF_TEST', 'SOCK_DGRAM', 0)
    sys.close(fd.value)
    sys.umount('/run/netns/blue')
    expect(sys.unlink('/run/netns/blue').ok).toBe(true)
    yield* sys.sleep(1e6)
    expect(ended).toEqual([])
    sys.unshare('CLONE_NEWNET')
    yield* sys.sleep(1e6)
    expect(ended).toEqual([]) // The socket is still there.
    if (socket.ok) sys.close(socket.value)
    yield* sys.sleep(1e6)
    expect(ended).toEqual(['a/blue'])
    return 0
  })
  expect(netnsesOf(host)).toEqual([])
})

test('a child begins where its parent is; links of /proc say where', () => {
  const { sim, host } = machine()
  const seen: string[] = []
  runBody(host, sim, function* (sys: Sys) {
    const look = () => {
      const link = sys.readlink('/proc/self/ns/net')
      seen.push(link.ok ? link.value : link.errno)
    }
    look()
    sys.unshare('CLONE_NEWNET')
    look()
    const pid = sys.fork(function* (child) {
      const link = child.readlink('/proc/self/ns/net')
      seen.push(link.ok ? link.value : link.errno)
      return 0
    })
    yield* sys.waitpid(pid)
    return 0
  })
  expect(seen[0]).toBe('net:[4026531840]')
  expect(seen[1]).not.toBe(seen[0])
  expect(seen[2]).toBe(seen[1])
})

test('what is bound in a mount namespace is not seen outside', () => {
  const { sim, host } = machine()
  host.writeFile('/etc/here', 'outside')
  host.writeFile('/etc/there', 'inside')
  const seen: string[] = []
  runBody(host, sim, function* (sys: Sys) {
    sys.unshare('CLONE_NEWNS')
    expect(sys.mount('/etc/there', '/etc/here', 'bind').ok).toBe(true)
    expect(sys.mount('/etc', '/etc/here', 'bind')).toEqual({ ok: false, errno: 'ENOTDIR' })
    const fd = yield* sys.open('/etc/here')
    if (!fd.ok) return 1
    const bytes = yield* sys.read(fd.value, 100)
    seen.push(bytes.ok ? String.fromCharCode(...bytes.value) : bytes.errno)
    return 0
  })
  expect(seen).toEqual(['inside'])
  expect(String.fromCharCode(...host.readFile('/etc/here')!)).toBe('outside')
})

test('the power goes: namespaces go with it', () => {
  const { host } = machine()
  const blue = createNetns(host, 'blue')
  expect(blue).toBeInstanceOf(Netns)
  host.powerOff()
  expect(blue.up).toBe(false)
  host.powerOn()
  expect(netnsesOf(host)).toEqual([])
})

test('setns refuses what is no namespace', () => {
  const { sim, host } = machine()
  runBody(host, sim, function* (sys: Sys) {
    expect(sys.setns(77)).toEqual({ ok: false, errno: 'EBADF' })
    const fd = yield* sys.open('/etc/hosts')
    if (fd.ok) expect(sys.setns(fd.value)).toEqual({ ok: false, errno: 'EINVAL' })
    expect(sys.umount('/etc/hosts')).toEqual({ ok: false, errno: 'EINVAL' })
    return 0
  })
})
