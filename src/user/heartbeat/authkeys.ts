/** /etc/ha.d/authkeys: which key signs, and which are known. heartbeat 3.0.6 heartbeat/auth.c: parse_authfile() */
import { md5, sha1 } from '@noble/hashes/legacy.js'
import { crcHex, hmacHex } from './digest.ts'
import type { Level } from './log.ts'
import type { Signer } from './message.ts'

export const AUTHKEYS = '/etc/ha.d//authkeys'
const KEYS_MAX = 16

const METHODS: Record<string, { needsKey: boolean; sign(key: string, bytes: Uint8Array): string }> = {
  crc: { needsKey: false, sign: (_, bytes) => crcHex(bytes) },
  md5: { needsKey: true, sign: (key, bytes) => hmacHex(md5, key, bytes) },
  sha1: { needsKey: true, sign: (key, bytes) => hmacHex(sha1, key, bytes) },
}

export class AuthKeys {
  readonly #keys = new Map<number, { method: string; key: string }>()
  readonly #loaded = new Set<string>()
  /** The key that signs what is sent; undefined if the file names none that is there. */
  signing: number | undefined

  readonly sign: Signer = (bytes) => {
    const number = this.signing
    const token = number === undefined ? undefined : this.token(number, bytes)
    return token === undefined ? undefined : { number: number!, token }
  }

  knows(number: number): boolean {
    return this.#keys.has(number)
  }

  token(number: number, bytes: Uint8Array): string | undefined {
    const found = this.#keys.get(number)
    return found && METHODS[found.method]!.sign(found.key, bytes)
  }

  /** Reads the file's text; complains as the real one does, and says whether all was well. */
  parse(text: string, say: (level: Level, text: string) => void): boolean {
    let good = true
    let wanted = -1
    const bad = (level: Level, complaint: string) => {
      say(level, complaint)
      good = false
    }
    for (const whole of text.split(/(?<=\n)/)) {
      const line = whole.replace(/^[\t ]+/, '')
      if (line === '' || line.startsWith('#') || whole === '') continue
      if (line.startsWith('a')) {
        const match = /^auth\s+([+-]?\d+)/.exec(line)
        if (match) wanted = Number(match[1])
        else bad('ERROR', `Invalid auth line [${whole}] in ${AUTHKEYS}`)
        continue
      }
      const match = /^([+-]?\d+)\s*(\S+)(?:\s+(\S+))?/.exec(line)
      if (!match) {
        bad('ERROR', `Auth line [${whole}] is invalid.`)
        continue
      }
      this.#line(Number(match[1]), match[2]!, match[3] ?? '', wanted, bad)
    }
    if (this.signing === undefined) {
      if (wanted < 0) bad('ERROR', `Missing auth directive in keyfile [${AUTHKEYS}]`)
      else bad('ERROR', `Auth Key [${wanted}] not found in keyfile [${AUTHKEYS}]`)
    }
    return good
  }

  #line(number: number, method: string, key: string, wanted: number, bad: (level: Level, text: string) => void): void {
    const found = METHODS[method]
    if (number < 0 || number >= KEYS_MAX) bad('ERROR', `Invalid authnum [${number}] in ${AUTHKEYS}`)
    else if (!found) {
      // A method is a plug-in; those that were needed before are in the table.
      bad('ERROR', `LoadPlugin on ${method} returned 5: No such plugin/interface/interface type`)
      bad('ERROR', `Lookup extended#2 returned FALSE for ${method}`)
      bad('ERROR', `Table size: ${this.#loaded.size}`)
      bad('ERROR', `Invalid authtype [${method}]`)
    } else {
      this.#loaded.add(method)
      if (key !== '' && !found.needsKey) bad('info', `Auth method [${method}] doesn't use a key`)
      else if (key === '' && found.needsKey) bad('ERROR', `Auth method [${method}] requires a key`)
      else this.#keep(number, method, key, wanted)
    }
  }

  #keep(number: number, method: string, key: string, wanted: number): void {
    this.#keys.set(number, { method, key })
    if (number === wanted) this.signing = number
  }
}
