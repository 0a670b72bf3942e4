/** A recording as an animation: packets on the picture of the network, some frames a second, in colours of its own. */
import { applyPalette, GIFEncoder, quantize } from 'gifenc'
import type { Picture } from '$lib/article.ts'
import { LEG_MS, type Recording } from './recording.ts'
import { formatTime, summarise } from './summary.ts'

const STEP_MS = 100
/** A minute at ten frames a second. */
const FRAMES_MAX = 600
const WIDTH = 640
const COLORS: Readonly<Record<string, string>> = {
  arp: '#b45309',
  icmp: '#7c3aed',
  tcp: '#1d4ed8',
  udp: '#047857',
  other: '#57534e',
}

/** Draws from the beginning to the end; longer recordings are played faster. */
export async function drawGif(recording: Recording, picture: Picture): Promise<Uint8Array> {
  const scale = WIDTH / picture.width
  const [width, height] = [WIDTH, Math.round(picture.height * scale) + 24]
  const canvas = document.createElement('canvas')
  Object.assign(canvas, { width, height })
  const context = canvas.getContext('2d', { willReadFrequently: true })!
  const steps = Math.max(1, Math.min(FRAMES_MAX, Math.ceil(recording.endMs / STEP_MS)))
  const gif = GIFEncoder()
  const lines = new Map(picture.cables.map((cable) => [`${cable.host}:${cable.interface}`, cable.points]))
  for (let step = 0; step <= steps; step++) {
    const nowMs = (recording.endMs * step) / steps
    drawPicture(context, picture, scale, width, height)
    context.fillStyle = '#444'
    context.font = '12px monospace'
    context.fillText(`${formatTime(recording.timeAt(nowMs))} s`, 8, height - 8)
    for (const frame of recording.frames) {
      if (frame.showMs > nowMs) break
      const color = COLORS[summarise(frame.bytes).protocol] ?? '#57534e'
      const dot = (end: string, part: number) => {
        const points = lines.get(end)
        if (!points || part < 0 || part > 1) return
        const { x, y } = along(points, part)
        context.fillStyle = color
        context.beginPath()
        context.arc(x * scale, y * scale, 5, 0, 2 * Math.PI)
        context.fill()
      }
      dot(`${frame.from.host}:${frame.from.interface}`, (nowMs - frame.showMs) / LEG_MS)
      for (const { to, showMs } of frame.arrivals) dot(`${to.host}:${to.interface}`, 1 - (nowMs - showMs) / LEG_MS)
    }
    const { data } = context.getImageData(0, 0, width, height)
    const palette = quantize(data, 64)
    gif.writeFrame(applyPalette(data, palette), width, height, { palette, delay: STEP_MS })
    // The page stays awake.
    if (step % 10 === 9) await new Promise((resolve) => setTimeout(resolve))
  }
  gif.finish()
  return gif.bytes()
}

function drawPicture(
  context: CanvasRenderingContext2D,
  picture: Picture,
  scale: number,
  width: number,
  height: number,
): void {
  context.fillStyle = '#fdfcf8'
  context.fillRect(0, 0, width, height)
  context.strokeStyle = '#8a8578'
  for (const { points } of picture.cables) {
    context.beginPath()
    for (const [i, { x, y }] of points.entries()) {
      if (i === 0) context.moveTo(x * scale, y * scale)
      else context.lineTo(x * scale, y * scale)
    }
    context.stroke()
  }
  context.textAlign = 'center'
  for (const [list, fill] of [
    [picture.hosts, '#ffffff'],
    [picture.networks, '#e4eef6'],
  ] as const) {
    for (const { name, x, y, width: w, height: h } of list) {
      context.fillStyle = fill
      context.fillRect(x * scale, y * scale, w * scale, h * scale)
      context.strokeRect(x * scale, y * scale, w * scale, h * scale)
      context.fillStyle = '#222'
      context.font = 'bold 11px sans-serif'
      context.fillText(name, (x + w / 2) * scale, y * scale + 14)
    }
  }
  context.textAlign = 'left'
}

function along(points: readonly { x: number; y: number }[], part: number): { x: number; y: number } {
  const lengths = points.slice(1).map((point, i) => Math.hypot(point.x - points[i]!.x, point.y - points[i]!.y))
  let left = part * lengths.reduce((sum, length) => sum + length, 0)
  for (const [i, length] of lengths.entries()) {
    const [from, to] = [points[i]!, points[i + 1]!]
    if (left <= length && length > 0)
      return { x: from.x + ((to.x - from.x) * left) / length, y: from.y + ((to.y - from.y) * left) / length }
    left -= length
  }
  return points.at(-1)!
}
