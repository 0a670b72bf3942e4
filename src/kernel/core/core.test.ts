import { expect, test } from 'vitest'
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { drive, SECOND, Simulator } from '#base/sim'
import { type Body, createCapture, createHost, createImage, type Program, type Sys, type WaitStatus } from './index.ts'

const sleeper: Program = {
  name: 'sleep',
  paths: ['/usr/bin/sleep'],
  *main(sys, argv) {
    yield* sys.sleep(Number(argv[1]) * SECOND)
    yield* sys.write(1, encodeUtf8(`slept ${argv[1]}\n`))
    return 3
  },
}

function lab(body: (sys: Sys) => Body<number>) {
  const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
  image.program(sleeper)
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'a', number: 1, startS: 1_767_225_600 })
  let output = ''
  let status: WaitStatus | undefined
  const out = createCapture({
    onOutput: (bytes) => {
      output += decodeUtf8(bytes)
    },
  })
  const nothing = host.openPath('/dev/null', 2)!
  host.spawn({
    body,
    files: [nothing, out, out],
    onExit: (s) => {
      status = s
    },
  })
  return {
    sim,
    host,
    get output() {
      return output
    },
    get status() {
      return status
    },
  }
}

test('a child execs, sleeps, prints and is waited for', async () => {
  const l = lab(function* (sys) {
    const pid = sys.fork(function* (child) {
      const done = yield* child.exec('/bin/sleep', ['sleep', '2'])
      return done.ok ? done.value : 127
    })
    const got = yield* sys.waitpid(pid)
    return got.ok ? got.value!.exit! + 10 : 1
  })
  await drive(l.sim)
  expect(l.output).toBe('slept 2\n')
  expect(l.status).toEqual({ pid: 301, exit: 13 })
  expect(l.sim.nowNs / SECOND).toBeCloseTo(2.001, 2)
})

test('a pipe between two children; SIGPIPE; kill', async () => {
  const l = lab(function* (sys) {
    const pipe = sys.pipe()
    if (!pipe.ok) return 1
    const writer = sys.fork(function* (child) {
      child.close(pipe.value.read)
      for (;;) {
        const done = yield* child.write(pipe.value.write, new Uint8Array(10_000).fill(97))
        if (!done.ok) return 9
      }
    })
    const reader = sys.fork(function* (child) {
      child.close(pipe.value.write)
      let n = 0
      while (n < 100_000) {
        const got = yield* child.read(pipe.value.read, 4096)
        if (!got.ok) return 8
        n += got.value.length
      }
      return 0
    })
    sys.close(pipe.value.read)
    sys.close(pipe.value.write)
    const one = yield* sys.waitpid(reader)
    const two = yield* sys.waitpid(writer)
    yield* sys.write(1, encodeUtf8(JSON.stringify([one, two])))
    return 0
  })
  await drive(l.sim)
  expect(JSON.parse(l.output)).toEqual([
    { ok: true, value: { pid: 303, exit: 0 } },
    { ok: true, value: { pid: 302, signal: 'SIGPIPE' } },
  ])
})
