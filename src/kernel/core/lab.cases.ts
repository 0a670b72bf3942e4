/** What the tests of this room share: one host, and programs given as bodies. */
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { drive, Simulator } from '#base/sim'
import {
  type Body,
  createCapture,
  createHost,
  createImage,
  type Image,
  type KernelHost,
  type Program,
  type SpawnOptions,
  type Sys,
  type SysResult,
  type WaitStatus,
} from './index.ts'

export interface Ran {
  output: string
  status: WaitStatus | undefined
  host: KernelHost
  sim: Simulator
}

/** An image with the programs given. */
export function imageWith(...programs: Program[]): Image {
  const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
  for (const program of programs) image.program(program)
  return image
}

export function hostOf(image = imageWith(), name = 'a'): KernelHost {
  return createHost({ sim: new Simulator(1), image, name, number: 1, startS: 1_767_225_600 })
}

/** Runs a body until nothing is left to do, or until a time. */
export async function run(
  body: (sys: Sys) => Body<number>,
  host = hostOf(),
  untilNs?: number,
  options: SpawnOptions = {},
): Promise<Ran> {
  const ran: Ran = { output: '', status: undefined, host, sim: host.sim }
  const out = createCapture({
    onOutput(bytes) {
      ran.output += decodeUtf8(bytes)
    },
  })
  const nothing = host.openPath('/dev/null', 2)!
  host.spawn({
    body,
    files: [nothing, out, out],
    onExit(status) {
      ran.status = status
    },
    ...options,
  })
  await drive(host.sim, untilNs)
  return ran
}

/** The value, or a failure of the test that names the error. */
export function must<T>(result: SysResult<T>): T {
  if (!result.ok) throw new Error(`unexpected ${result.errno}`)
  return result.value
}

/** What a call answers, for tables: its value, or the error's name. */
export function answer<T>(result: SysResult<T>): T | string {
  return result.ok ? result.value : result.errno
}

export function* print(sys: Sys, text: string): Body<void> {
  yield* sys.write(1, encodeUtf8(text))
}

export function* readAll(sys: Sys, path: string): Body<string> {
  const fd = must(yield* sys.open(path))
  let text = ''
  for (;;) {
    const got = must(yield* sys.read(fd, 65536))
    if (got.length === 0) break
    text += decodeUtf8(got)
  }
  sys.close(fd)
  return text
}

export function* writeAll(sys: Sys, path: string, text: string, flags = 0o1101): Body<string | number> {
  const fd = yield* sys.open(path, flags)
  if (!fd.ok) return fd.errno
  const done = yield* sys.write(fd.value, encodeUtf8(text))
  sys.close(fd.value)
  return answer(done)
}
