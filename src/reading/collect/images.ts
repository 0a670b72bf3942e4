/** A page's pictures, fetched and kept by the hash of their bytes. What a picture is is seen from its bytes. */
import { createHash } from 'node:crypto'
import type { Root } from 'hast'
import { FetchError, type FetchOptions, fetchPage } from './fetch.ts'
import { attr, elements } from './tree.ts'

export interface StoredImage {
  /** Where it was. */
  url: string
  /** SHA-256 of its bytes, in hexadecimal. */
  hash: string
  type: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp' | 'image/avif'
  bytes: Uint8Array
  width: number | undefined
  height: number | undefined
}

export const IMAGE_LIMITS = {
  count: 60,
  bytes: 5 * 1024 * 1024,
  allBytes: 30 * 1024 * 1024,
  pixels: 50_000_000,
  timeoutMs: 10_000,
}

/** The picture that bytes are; undefined for others. SVG is none: it may hold scripts and ask for more. */
export function sniffImage(bytes: Uint8Array): Pick<StoredImage, 'type' | 'width' | 'height'> | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ascii = (at: number, length: number) => String.fromCharCode(...bytes.subarray(at, at + length))
  if (bytes.length >= 24 && view.getUint32(0) === 0x89504e47)
    return { type: 'image/png', width: view.getUint32(16), height: view.getUint32(20) }
  if (bytes.length >= 10 && /^GIF8[79]a$/u.test(ascii(0, 6)))
    return { type: 'image/gif', width: view.getUint16(6, true), height: view.getUint16(8, true) }
  if (bytes.length >= 30 && ascii(0, 4) === 'RIFF' && ascii(8, 4) === 'WEBP') {
    if (ascii(12, 4) === 'VP8X') {
      const at = (offset: number) => 1 + bytes[offset]! + (bytes[offset + 1]! << 8) + (bytes[offset + 2]! << 16)
      return { type: 'image/webp', width: at(24), height: at(27) }
    }
    return { type: 'image/webp', width: undefined, height: undefined }
  }
  if (bytes.length >= 12 && ascii(4, 4) === 'ftyp' && /^avi[fs]$/u.test(ascii(8, 4)))
    return { type: 'image/avif', width: undefined, height: undefined }
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) {
    for (let at = 2; at + 9 < bytes.length; ) {
      if (bytes[at] !== 0xff) break
      const marker = bytes[at + 1]!
      if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
        return { type: 'image/jpeg', width: view.getUint16(at + 7), height: view.getUint16(at + 5) }
      at += 2 + view.getUint16(at + 2)
    }
    return { type: 'image/jpeg', width: undefined, height: undefined }
  }
  return undefined
}

/**
 * Fetches the pictures of a tree, and lets it name them by `address(hash)`; one that can't be had loses its `src`, and its
 * words (`alt`) stay.
 */
export async function collectImages(
  tree: Root,
  options: FetchOptions,
  address: (hash: string) => string,
): Promise<{ images: StoredImage[]; warnings: string[] }> {
  const byUrl = new Map<string, StoredImage | undefined>()
  const byHash = new Map<string, StoredImage>()
  const warnings: string[] = []
  let total = 0
  const pictures = [...elements(tree, 'img')]
  const wanted = [...new Set(pictures.map((image) => attr(image, 'src')).filter((src) => /^https?:/u.test(src)))]
  if (wanted.length > IMAGE_LIMITS.count)
    warnings.push(`only ${IMAGE_LIMITS.count} of ${wanted.length} pictures were kept`)
  const queue = wanted.slice(0, IMAGE_LIMITS.count)
  const fetchNext = async () => {
    for (let url = queue.shift(); url !== undefined; url = queue.shift()) {
      if (total > IMAGE_LIMITS.allBytes || options.signal?.aborted) return
      try {
        const { status, body } = await fetchPage(url, {
          ...options,
          method: 'GET',
          timeoutMs: IMAGE_LIMITS.timeoutMs,
          maxBytes: IMAGE_LIMITS.bytes,
        })
        const kind = status === 200 ? sniffImage(body) : undefined
        if (!kind) throw new FetchError('type', status === 200 ? 'not a picture that is kept' : `answered ${status}`)
        if ((kind.width ?? 1) * (kind.height ?? 1) > IMAGE_LIMITS.pixels)
          throw new FetchError('size', 'too many pixels')
        total += body.length
        const hash = createHash('sha256').update(body).digest('hex')
        const image = byHash.get(hash) ?? { url, hash, ...kind, bytes: body }
        byHash.set(hash, image)
        byUrl.set(url, image)
      } catch (error) {
        warnings.push(`${url.slice(0, 200)}: ${(error as Error).message}`)
      }
    }
  }
  await Promise.all([fetchNext(), fetchNext(), fetchNext(), fetchNext()])
  for (const picture of pictures) {
    const image = byUrl.get(attr(picture, 'src'))
    if (image) {
      picture.properties['src'] = address(image.hash)
      if (image.width && image.height) Object.assign(picture.properties, { width: image.width, height: image.height })
    } else delete picture.properties['src']
  }
  return { images: [...byHash.values()], warnings }
}
