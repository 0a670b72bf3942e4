/** A frame in one line, for lists of differences. */
import { formatHex } from '#base/bytes'
import { dissect } from '#wire/inet'

/** The titles of a frame's layers, from the outside in. */
export function formatDissection(bytes: Uint8Array): string {
  const layers = dissect(bytes)
  return layers.length === 0 ? formatHex(bytes) : layers.map((layer) => layer.title).join(' | ')
}
