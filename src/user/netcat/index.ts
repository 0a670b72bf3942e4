/**
 * `nc`: OpenBSD's netcat, as Debian 12 has it.
 *
 *     netcat.install(image)
 *     // then, on two hosts: nc -l 80; echo hello | nc -N server 80
 */
import { lazyMain, type Room } from '#kernel/core'

export const netcat: Room = {
  name: 'user/netcat',
  needs: [],
  install(image) {
    const main = lazyMain(() => import('./netcat.ts').then(({ nc }) => nc))
    image.program({ name: 'nc', paths: ['/usr/bin/nc', '/usr/bin/nc.openbsd', '/usr/bin/netcat'], main })
    const completions = image.slot('completions', () => new Map<string, (words: string[]) => string[]>())
    const options = ['-4', '-6', '-k', '-l', '-N', '-n', '-p', '-q', '-s', '-U', '-u', '-v', '-w', '-z']
    completions.set('nc', (words) => {
      const last = words.at(-1) ?? ''
      return last.startsWith('-') ? options.filter((option) => option.startsWith(last)) : []
    })
  },
}
