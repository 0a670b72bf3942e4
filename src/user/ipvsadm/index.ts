/**
 * ipvsadm 1.31, ipvsadm-save and ipvsadm-restore, as Debian 12 has them.
 *
 *     ipvsadm.install(image) // then, on a host: ipvsadm -A -t 10.0.0.100:80 -s rr; ipvsadm -Ln
 */
import { lazyMain, type Room } from '#kernel/core'
import { TABLE } from './rules.ts'
import { RESTORE, SAVE } from './scripts.ts'

/** The program, loaded when it is first run, its scripts, and Tab's words for it. */
export const ipvsadm: Room = {
  name: 'user/ipvsadm',
  needs: ['kernel/ipvs'],
  install(image) {
    const main = lazyMain(() => import('./ipvsadm.ts').then(({ ipvsadm }) => ipvsadm))
    image.program({ name: 'ipvsadm', paths: ['/usr/sbin/ipvsadm'], main })
    image.file('/usr/sbin/ipvsadm-save', SAVE, 0o755)
    image.file('/usr/sbin/ipvsadm-restore', RESTORE, 0o755)
    const completions = image.slot('completions', () => new Map<string, (words: string[]) => string[]>())
    completions.set('ipvsadm', (line) => {
      const last = line.at(-1) ?? ''
      const names = new Set(TABLE.map(({ long }) => `--${long}`))
      return last.startsWith('--') ? [...names].filter((name) => name.startsWith(last)) : []
    })
  },
}
