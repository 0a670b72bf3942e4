/**
 * hping3 3.0.0-alpha-2, as Debian 12 has it, without its Tcl.
 *
 *     hping.install(image) // then, on a host: hping3 -S -p 80 -c 1 10.0.0.80
 */
import { lazyMain, type Room } from '#kernel/core'
import { LONG_OPTIONS } from './options.ts'

/** The program, loaded when it is first run, and Tab's words for it. */
export const hping: Room = {
  name: 'user/hping',
  needs: [],
  install(image) {
    const main = lazyMain(() => import('./hping.ts').then(({ hping3 }) => hping3))
    image.program({ name: 'hping3', paths: ['/usr/sbin/hping3', '/usr/sbin/hping2', '/usr/sbin/hping'], main })
    const completions = image.slot('completions', () => new Map<string, (words: string[]) => string[]>())
    completions.set('hping3', (line) => {
      const last = line.at(-1) ?? ''
      return last.startsWith('--')
        ? LONG_OPTIONS.map((name) => `--${name}`).filter((name) => name.startsWith(last))
        : []
    })
  },
}
