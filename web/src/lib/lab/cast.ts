/** A terminal's recording for asciinema: version 2, a line of JSON an event. https://docs.asciinema.org/manual/asciicast/v2/ */
import type { Recording } from './recording.ts'

/** Silence longer than this is shortened when it is played. */
const IDLE_S = 2

/** What a host's terminal showed, in the time of watching. */
export function castOf(recording: Recording, host: string, title: string, columns = 80, rows = 24): string {
  const outputs = recording.outputs.get(host) ?? []
  const header = {
    version: 2,
    width: columns,
    height: rows,
    timestamp: 1_767_225_600,
    idle_time_limit: IDLE_S,
    title,
    env: { TERM: 'xterm-256color', SHELL: '/bin/bash' },
  }
  const lines = outputs.map(({ showMs, text }) =>
    JSON.stringify([Math.round(showMs) / 1000, 'o', text.replaceAll(/\r?\n/gu, '\r\n')]),
  )
  return `${[JSON.stringify(header), ...lines].join('\n')}\n`
}
