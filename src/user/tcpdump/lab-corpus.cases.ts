/** Frames of what labs carry above the plain protocols: DNS, HTTP, tunnels, bridges and bonds. */
import { internetChecksum, sumWords } from '#base/bytes'
import type { RandomStream } from '#base/sim'

function pick<T>(random: RandomStream, list: readonly T[]): T {
  return list[random.below(list.length)]!
}

const word = (value: number) => [(value >>> 8) & 255, value & 255]
const long = (value: number) => [...word(value >>> 16), ...word(value & 0xffff)]
const text = (value: string) => [...value].map((letter) => letter.charCodeAt(0))
const bytes = (random: RandomStream, most: number) => [...random.bytes(random.below(most))]

function name(random: RandomStream): number[] {
  const labels: number[] = []
  for (let i = random.below(4); i > 0; i--) {
    const label = pick(random, ['www', 'example', 'a', 'x y', 'é\n', 'net', 'q'.repeat(63)])
    labels.push(label.length, ...text(label).map((code) => code & 255))
  }
  const end = pick(random, [
    [0],
    [0],
    [0xc0, 12],
    [0xc0, 12],
    [0xc0, 12 + random.below(60)],
    [0xc0, random.below(12)],
    [0x41, 5, 0xa8, 0],
    [0x80],
    [0x43],
  ])
  return [...labels, ...end]
}

function record(random: RandomStream): number[] {
  const types = [1, 1, 28, 28, 5, 12, 2, 15, 6, 33, 16, 39, 38, 256, 104, 250, 47, 999]
  const type = pick(random, types)
  const data = () => {
    if (type === 1) return [10, 0, 0, random.below(256)]
    if (type === 28) return [0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), random.below(256)]
    if ([5, 12, 2, 39].includes(type)) return name(random)
    if (type === 15) return [...word(10), ...name(random)]
    if (type === 6) return [...name(random), ...name(random), ...random.bytes(20)]
    if (type === 33) return [...word(1), ...word(2), ...word(53), ...name(random)]
    if (type === 16) return [5, ...text('v=\t"1'), ...(random.below(2) ? [2, 0xe9, 0x41] : [])]
    if (type === 38) return [pick(random, [0, 64, 60, 128, 129]), ...random.bytes(16), ...name(random)]
    if (type === 256) return [...word(1), ...word(2), ...text('http://a/')]
    if (type === 250) return [...name(random), ...random.bytes(6), ...word(300), ...word(4), ...random.bytes(10)]
    return bytes(random, 12)
  }
  const body = random.below(10) === 0 ? bytes(random, 20) : data()
  const size = random.below(20) === 0 ? random.below(40) : body.length
  const ttl = long(pick(random, [0, 60, 3600, 86_399, 31_536_001, 604_800]))
  return [
    ...name(random),
    ...word(type),
    ...word(pick(random, [1, 1, 1, 3, 255, 0x8001, 77])),
    ...ttl,
    ...word(size),
    ...body,
  ]
}

function ednsRecord(random: RandomStream): number[] {
  const options: number[] = []
  for (let i = random.below(4); i > 0; i--) {
    const [code, data] = pick<[number, number[]]>(random, [
      [3, [1, 2]],
      [5, [8, 13, 99]],
      [6, [1, 2, 9]],
      [7, [1, 2]],
      [8, [...word(1), 24, 0, 10, 0, 0]],
      [8, [...word(2), 56, 0, ...random.bytes(7)]],
      [8, [...word(3), 56, 0]],
      [9, long(9)],
      [10, [...random.bytes(8)]],
      [10, [...random.bytes(24)]],
      [10, [1, 2, 3]],
      [11, word(123)],
      [12, [0, 0, 0]],
      [13, [1, 0x61, 0]],
      [14, [...word(5), ...word(6)]],
      [77, [1, 2, 3]],
      [3, []],
    ])
    options.push(...word(code), ...word(data.length), ...data)
  }
  const flags = pick(random, [0, 0x8000])
  return [
    0,
    ...word(41),
    ...word(1232),
    random.below(8) === 0 ? 1 : 0,
    0,
    ...word(flags),
    ...word(options.length),
    ...options,
  ]
}

function dns(random: RandomStream): number[] {
  const many = (most: number, body: () => number[]) => {
    const list = Array.from({ length: random.below(most) }, body)
    return { count: list.length + (random.below(25) === 0 ? 1 : 0), list: list.flat() }
  }
  const question = () => [
    ...name(random),
    ...word(pick(random, [1, 28, 255, 12, 6, 200])),
    ...word(pick(random, [1, 1, 1, 3, 0x8001, 9])),
  ]
  const questions = random.below(8) === 0 ? many(3, question) : { count: 1, list: question() }
  const response = random.below(3) > 0
  const answers = response || random.below(6) === 0 ? many(4, () => record(random)) : { count: 0, list: [] }
  const authorities = response ? many(2, () => record(random)) : { count: 0, list: [] }
  const edns = random.below(2) === 0 ? ednsRecord(random) : []
  const flags =
    (response ? 0x8000 : 0) | pick(random, [0x100, 0x180, 0x580, 0x583, 0x385, 0x1b0, 0, 0x2900, 0x900, 0x7fff])
  return [
    ...word(random.below(65536)),
    ...word(flags),
    ...word(questions.count),
    ...word(answers.count),
    ...word(authorities.count),
    ...word(edns.length > 0 ? 1 : 0),
    ...questions.list,
    ...answers.list,
    ...authorities.list,
    ...edns,
  ]
}

function http(random: RandomStream): number[] {
  return text(
    pick(random, [
      'GET / HTTP/1.1\r\nHost: 10.0.0.2\r\nAccept: */*\r\n\r\n',
      'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello',
      'HTTP/1.0 404 File not found\nContent-Type: text/html\n\n<html>\n\x01\n',
      'post  /a\tb HTTP/1.1\r\nA: b\rc\r\n',
      'HTTP/1.1 20 OK\r\n',
      'hello, world\n',
      'GET',
      'HTTP/1.1 200',
      '\r\n',
      `${'G'.repeat(127)} 200\r\n`,
      `${'G'.repeat(128)} 200\r\n`,
      'NOTIFY x\x80\r\n',
      'HTTP/1.1\t200 OK\r\n',
    ]),
  )
}

function udp(random: RandomStream, port: number, body: number[]): number[] {
  const ports = random.below(2) === 0 ? [port, 40000] : [40000, port]
  return [...word(ports[0]!), ...word(ports[1]!), ...word(body.length + 8), 0, 0, ...body]
}

function tcp(random: RandomStream, port: number, body: number[]): number[] {
  const ports = random.below(2) === 0 ? [port, 40000] : [40000, port]
  return [...word(ports[0]!), ...word(ports[1]!), ...long(1), ...long(2), 0x50, 0x18, ...word(500), 0, 0, 0, 0, ...body]
}

/** What an IP packet carries, with its protocol number. */
function payload(random: RandomStream, depth: number): [number, number[]] {
  const kind = random.below(depth > 1 ? 6 : 10)
  if (kind < 2) return [17, udp(random, pick(random, [53, 53, 53, 5353]), dns(random))]
  if (kind === 2) {
    const message = dns(random)
    return [6, tcp(random, 53, [...word(message.length + (random.below(6) === 0 ? 1 : 0)), ...message])]
  }
  if (kind < 5) return [6, tcp(random, pick(random, [80, 8080]), http(random))]
  if (kind === 5) return [17, udp(random, 53, bytes(random, 30))]
  if (kind === 6) return [4, ip4(random, depth + 1)]
  if (kind === 7) return [41, ip6(random, depth + 1)]
  if (kind === 8) return [47, gre(random, depth)]
  return [17, udp(random, 8472, [8, 0, 0, 7, ...random.bytes(4), ...ethernet(random, depth + 1)])]
}

function gre(random: RandomStream, depth: number): number[] {
  const flags = pick(random, [0, 0, 0x2000, 0x3000, 0x8000, 0xb000, 2])
  const [type, body] = pick<[number, () => number[]]>(random, [
    [0x0800, () => ip4(random, depth + 1)],
    [0x86dd, () => ip6(random, depth + 1)],
    [0x6558, () => ethernet(random, depth + 1)],
    [0x1234, () => bytes(random, 9)],
  ])
  const fields = [flags & 0x8000 ? 4 : 0, flags & 0x2000 ? 4 : 0, flags & 0x1000 ? 4 : 0]
  return [...word(flags), ...word(type), ...fields.flatMap((size) => [...random.bytes(size)]), ...body()]
}

function ip4(random: RandomStream, depth: number): number[] {
  const [protocol, body] = payload(random, depth)
  const head = [0x45, 0, ...word(body.length + 20), ...word(1), 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
  head.splice(10, 2, ...word(internetChecksum(Uint8Array.from(head), 0, 20)))
  return [...head, ...body]
}

function ip6(random: RandomStream, depth: number): number[] {
  const [protocol, body] = payload(random, depth)
  const ends = [0xfd, ...Array(14).fill(0), 1, 0xfd, ...Array(14).fill(0), 2]
  if (protocol === 17 && random.below(4) > 0) {
    const sum = sumWords(Uint8Array.from(ends), 0, 32, 17 + body.length)
    body.splice(6, 2, ...word(internetChecksum(Uint8Array.from(body), 0, body.length, sum)))
  }
  return [0x60, 0, 0, 0, ...word(body.length), protocol, 64, ...ends, ...body]
}

function bpdu(random: RandomStream): number[] {
  const bridge = () => [0x80, 0, 2, 0, 0, 0, random.below(3), 0]
  const config = [...bridge(), ...long(4), ...bridge(), 0x80, 1, ...random.bytes(2), 20, 0, 2, 0, 15, 0]
  const flags = pick(random, [0, 1, 0x81, random.below(256)])
  const version = pick(random, [0, 0, 0, 2, 2, 9])
  const type = pick(random, version === 0 ? [0, 0, 0, 0x80, 2, 7] : [0, 2, 2, 0x80])
  const all = [0, random.below(12) === 0 ? 1 : 0, version, type, ...(type === 0x80 ? [] : [flags, ...config])]
  return version === 2 ? [...all, 0] : all
}

function llc(random: RandomStream): number[] {
  const kind = random.below(8)
  if (kind < 4) return [0x42, 0x42, 3, ...bpdu(random)]
  if (kind === 4)
    return [
      0xaa,
      0xaa,
      3,
      0,
      0,
      pick(random, [0, 0xc, 0xf8]),
      ...word(pick(random, [0x0806, 0x1234, 0x010b])),
      ...bpdu(random),
    ]
  const sap = () => pick(random, [0, 2, 6, 0x42, 0x43, 0xaa, 0xf0, 0x50, 0xff])
  const control = pick(random, [3, 0x13, 0xaf, 0xbf, 0xe3, 0x7f, 0x01, 0x05, 0x09, 0x0d, 0, 0x46])
  return [sap(), sap(), control, ...pick(random, [[0x81, 1, 0], [0x81], [], bytes(random, 20)])]
}

function slow(random: RandomStream): number[] {
  const info = () => [...random.bytes(2), 2, 0, 0, 0, 1, 0, ...random.bytes(7), 0, 0, 0]
  const size = () => (random.below(8) === 0 ? pick(random, [0, 1, 2, 200, 18]) : 20)
  const lacp = [
    1,
    size(),
    ...info(),
    2,
    size(),
    ...info(),
    3,
    16,
    0x80,
    ...Array(13).fill(0),
    0,
    0,
    ...Array(50).fill(0),
  ]
  return pick(random, [
    [1, 1, ...lacp],
    [1, 1, ...lacp],
    [1, 2, ...lacp],
    [2, 1, 1, 16, ...random.bytes(14), 0, 0, ...Array(9).fill(0)],
    [1, 1, 9, 6, ...random.bytes(4), 0, 0],
    [9, 1, 2, 3],
    [1],
    [],
  ])
}

function ethernet(random: RandomStream, depth: number): number[] {
  const head = [2, 0, 0, 0, 2, 0, 2, 0, 0, 0, 1, 0, ...(random.below(8) === 0 ? [0x81, 0, 0, 100] : [])]
  const kind = random.below(10)
  if (kind < 5) return [...head, 8, 0, ...ip4(random, depth)]
  if (kind < 7) return [...head, 0x86, 0xdd, ...ip6(random, depth)]
  if (kind === 7) return [...head, 0x88, 0x09, ...slow(random)]
  const body = llc(random)
  const claimed = random.below(10) === 0 ? random.below(60) : body.length
  return [...head, ...word(claimed), ...body, ...Array(Math.max(0, 46 - body.length)).fill(0)]
}

/** A frame; sometimes cut short or written over. */
export function labFrame(random: RandomStream): Uint8Array {
  let frame = Uint8Array.from(ethernet(random, 0))
  if (random.below(6) === 0) frame = frame.slice(0, 14 + random.below(frame.length - 13))
  if (random.below(6) === 0) frame[14 + random.below(frame.length - 14)] = random.below(256)
  return frame
}
