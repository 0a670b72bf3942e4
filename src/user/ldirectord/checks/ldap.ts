/** A bind, and a search for one object. Net::LDAP 0.68; RFC 4511, sections 4.2 and 4.5 */
import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import type { Body } from '#kernel/core'
import { connectUntil, receiveUntil, sendUntil } from '../connecting.ts'
import { compilePattern } from '../perl.ts'
import type { Checking } from './check.ts'

const MESSAGE_MAX = 1 << 20
const BIND_RESPONSE = 0x61
const SEARCH_ENTRY = 0x64
const SEARCH_DONE = 0x65

/** Numbers of messages go on from check to check. */
const messageIds = new WeakMap<object, { last: number }>()

export function* checkLdap(check: Checking): Body<boolean> {
  const { virtual, real, sys, port } = check
  if (virtual.service === 'ldaps') throw new NotModelled('ldirectord: a check by LDAPS')
  yield* check.debug(2, `Checking LDAP server=${real.server} port=${port} scheme=ldap`)
  yield* check.debug(2, 'Starting Check')
  const untilNs = check.untilNs(virtual.checktimeout)
  const opened = yield* connectUntil(sys, real.server, port, 'SOCK_STREAM', untilNs)
  let names: string[] | undefined
  if ('failed' in opened) {
    if (opened.failed !== 'timeout') yield* check.set('down', 'Connection failed')
  } else {
    names = yield* new Ldap(check, opened.fd, untilNs).entries()
    sys.close(opened.fd)
  }
  if (!names) {
    yield* check.set('down', 'No answer received')
    yield* check.debug(2, 'check timeout alarm')
    return false
  }
  if (names.length !== 1) {
    yield* check.set('down', 'No answer received')
    yield* check.debug(2, `Count failed : ${names.length}`)
    return false
  }
  const receive = real.receive!
  const up = receive === '' || compilePattern(receive).test(names[0]!)
  return yield* check.set(up ? 'up' : 'down', up ? 'Success' : 'Response mismatch')
}

class Ldap {
  readonly #check: Checking
  readonly #fd: number
  readonly #untilNs: number
  readonly #ids: { last: number }
  #held = new Uint8Array(0)

  constructor(check: Checking, fd: number, untilNs: number) {
    this.#check = check
    this.#fd = fd
    this.#untilNs = untilNs
    this.#ids = messageIds.get(check.director) ?? { last: 0 }
    messageIds.set(check.director, this.#ids)
  }

  /** Names of what was found; undefined if there was no answer, or no way in, which has been told then. */
  *entries(): Body<string[] | undefined> {
    const { virtual, real } = this.#check
    const named = virtual.login !== '' && virtual.passwd !== ''
    const [login, password] = named ? [virtual.login, virtual.passwd] : ['', '']
    yield* this.#send(ber(0x60, ber(0x02, [3]), octets(0x04, login), octets(0x80, password)))
    const bound = yield* this.#receive(BIND_RESPONSE)
    if (!bound.message && bound.late) return undefined
    if (bound.message?.children()?.[0]?.content[0] !== 0) {
      yield* this.#check.set('down', 'Bind failed')
      return undefined
    }
    const search = ber(
      0x63,
      octets(0x04, real.request!.slice(1)),
      ber(0x0a, [0]),
      ber(0x0a, [2]),
      ber(0x02, [0]),
      ber(0x02, [0]),
      ber(0x01, [0]),
      octets(0x87, 'objectClass'),
      ber(0x30),
    )
    yield* this.#send(search)
    const names: string[] = []
    for (;;) {
      const { message, late } = yield* this.#receive(SEARCH_ENTRY, SEARCH_DONE)
      if (!message) return late ? undefined : names
      if (message.tag === SEARCH_DONE) return names
      names.push(String.fromCharCode(...(message.children()?.[0]?.content.slice(0, 4096) ?? [])))
    }
  }

  *#send(operation: number[]): Body<void> {
    const id = ++this.#ids.last
    const number = id < 128 ? [id] : id < 32_768 ? [id >> 8, id & 255] : [id >> 16, (id >> 8) & 255, id & 255]
    const message = ber(0x30, ber(0x02, number), operation)
    yield* sendUntil(this.#check.sys, this.#fd, Uint8Array.from(message), this.#untilNs)
  }

  /** The next message of one of some kinds that answers the last one sent. */
  *#receive(...tags: number[]): Body<{ message?: Element; late: boolean }> {
    for (;;) {
      const whole = parseElement(this.#held)
      if (whole) {
        this.#held = this.#held.slice(whole.length)
        const [, operation] = whole.children() ?? []
        if (operation && tags.includes(operation.tag)) return { message: operation, late: false }
        continue
      }
      if (this.#held.length > MESSAGE_MAX) return { late: false }
      const got = yield* receiveUntil(this.#check.sys, this.#fd, 8192, this.#untilNs)
      if ('failed' in got) return { late: got.failed === 'timeout' }
      if (got.bytes.length === 0) return { late: false }
      const both = new Uint8Array(this.#held.length + got.bytes.length)
      both.set(this.#held)
      both.set(got.bytes, this.#held.length)
      this.#held = both
    }
  }
}

/** X.690, section 8.1: a tag, a length, and what is in it. */
function ber(tag: number, ...parts: number[][]): number[] {
  const content = parts.flat()
  const { length } = content
  if (length < 128) return [tag, length, ...content]
  return length < 256 ? [tag, 0x81, length, ...content] : [tag, 0x82, length >> 8, length & 255, ...content]
}

const octets = (tag: number, text: string) => ber(tag, [...encodeUtf8(text)])

class Element {
  readonly tag: number
  readonly content: Uint8Array
  /** With tag and length. */
  readonly length: number

  constructor(tag: number, content: Uint8Array, length: number) {
    this.tag = tag
    this.content = content
    this.length = length
  }

  /** Undefined if what is in it isn't a row of elements. */
  children(): Element[] | undefined {
    const found: Element[] = []
    for (let rest = this.content; rest.length > 0; ) {
      const next = parseElement(rest)
      if (!next) return undefined
      found.push(next)
      rest = rest.subarray(next.length)
    }
    return found
  }
}

/** Undefined unless the whole of it is there. */
export function parseElement(bytes: Uint8Array): Element | undefined {
  if (bytes.length < 2) return undefined
  let at = 2
  let length = bytes[1]!
  if (length >= 0x80) {
    const count = length & 0x7f
    if (count === 0 || count > 4 || bytes.length < 2 + count) return undefined
    length = 0
    for (let i = 0; i < count; i++) length = length * 256 + bytes[at++]!
  }
  if (bytes.length < at + length) return undefined
  return new Element(bytes[0]!, bytes.subarray(at, at + length), at + length)
}
