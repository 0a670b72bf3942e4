/**
 * iputils as Debian 12 has it (20221126): `ping` and `arping`.
 *
 *     iputils.install(image)
 *     // then, on a host: ping -c 3 web; arping -c 1 -I eth0 10.0.0.2
 */
import type { Room } from '#kernel/core'
import { arping } from './arping.ts'
import { ping } from './ping.ts'

/** The programs, and Tab's words for them. */
export const iputils: Room = {
  name: 'user/iputils',
  needs: [],
  install(image) {
    image.program({ name: 'ping', paths: ['/usr/bin/ping', '/usr/bin/ping4'], main: ping })
    image.program({ name: 'arping', paths: ['/usr/bin/arping'], main: arping })
    const completions = image.slot('completions', () => new Map<string, (words: string[]) => string[]>())
    completions.set(
      'ping',
      optionsOf(['-c', '-i', '-I', '-M', '-n', '-O', '-q', '-R', '-s', '-t', '-T', '-v', '-w', '-W']),
    )
    completions.set('arping', optionsOf(['-A', '-b', '-c', '-D', '-f', '-i', '-I', '-q', '-s', '-U', '-w']))
  },
}

function optionsOf(options: string[]): (words: string[]) => string[] {
  return (words) => {
    const last = words.at(-1) ?? ''
    return last.startsWith('-') ? options.filter((option) => option.startsWith(last)) : []
  }
}
