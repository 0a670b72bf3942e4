/**
 * Text as bytes. Short ASCII is the rule on these hosts, and is done here; the rest is left to the platform's coder,
 * which every browser and Node have, and which replaces what isn't UTF-8 by U+FFFD.
 */

interface Coders {
  TextEncoder: new () => { encode(text: string): Uint8Array }
  TextDecoder: new (label: string, options: { ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string }
}

let encoder: InstanceType<Coders['TextEncoder']> | undefined
let decoder: InstanceType<Coders['TextDecoder']> | undefined

const SHORT = 64

/** Text as UTF-8. */
export function encodeUtf8(text: string): Uint8Array {
  if (text.length <= SHORT) {
    const bytes = new Uint8Array(text.length)
    let i = 0
    for (; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) break
      bytes[i] = code
    }
    if (i === text.length) return bytes
  }
  encoder ??= new (globalThis as unknown as Coders).TextEncoder()
  return encoder.encode(text)
}

/** UTF-8 as text; what isn't UTF-8 becomes U+FFFD, a byte order mark stays. */
export function decodeUtf8(bytes: Uint8Array): string {
  if (bytes.length <= SHORT) {
    let text = ''
    let i = 0
    for (; i < bytes.length && bytes[i]! < 0x80; i++) text += String.fromCharCode(bytes[i]!)
    if (i === bytes.length) return text
  }
  decoder ??= new (globalThis as unknown as Coders).TextDecoder('utf-8', { ignoreBOM: true })
  return decoder.decode(bytes)
}

/** One character a byte, 0 to 255. */
export function decodeLatin1(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

/** The low 8 bits of each character. */
export function encodeLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
