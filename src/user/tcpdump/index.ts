/**
 * tcpdump 4.99.3, as Debian 12 has it: the capture filter language, and what it prints of frames.
 *
 *     tcpdump.install(image) // then, on a host: tcpdump -nn -i eth0 arp or icmp
 *     const compiled = compileFilter('host 10.0.0.1 and icmp')
 *     if (compiled.ok) compiled.filter.packet(packet)
 */
import type { Room } from '#kernel/core'
import { main } from './main.ts'
import { protocolsFile, servicesFile } from './services.ts'

export { type Compiled, compileFilter, type Filter, type FilterOptions } from './filter/filter.ts'
export { type Names, NO_NAMES } from './filter/names.ts'
export { type FormatOptions, FrameFormatter, type Stamped } from './print/format.ts'

/** The program, and Tab's words for it. */
export const tcpdump: Room = {
  name: 'user/tcpdump',
  needs: [],
  install(image) {
    image.program({ name: 'tcpdump', paths: ['/usr/bin/tcpdump', '/usr/sbin/tcpdump'], main })
    image.file('/etc/services', servicesFile())
    image.file('/etc/protocols', protocolsFile())
    const completions = image.slot('completions', () => new Map<string, (words: string[]) => string[]>())
    const words = [
      '-A',
      '-c',
      '-D',
      '-e',
      '-i',
      '-l',
      '-n',
      '-nn',
      '-p',
      '-q',
      '-Q',
      '-r',
      '-s',
      '-S',
      '-t',
      '-v',
      '-vv',
      '-w',
      '-x',
      '-X',
      '-XX',
    ]
    completions.set('tcpdump', (line) => {
      const last = line.at(-1) ?? ''
      return last.startsWith('-') ? words.filter((word) => word.startsWith(last)) : []
    })
  },
}
