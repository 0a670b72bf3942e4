/**
 * Processes and settings as operators see them: ps, pgrep, pkill, killall, kill, sysctl, uptime, free, watch, dmesg,
 * hostname, modprobe, lsmod, rmmod, nsenter, unshare. All of them read /proc as the real ones do.
 *
 *     image.install(procps)
 *     // then, on a host: sysctl -w net.ipv4.ip_forward=1; pkill -f 'ping .* 10.0.0.1'
 */
import type { Room } from '#kernel/core'
import { nsenter, unshare } from './namespaces.ts'
import { killall, killCommand, pgrep, pkill } from './pgrep.ts'
import { ps } from './ps.ts'
import { sysctl } from './sysctl.ts'
import { dmesg, free, hostname, lsmod, modprobe, rmmod, uptime, watch } from './system.ts'

export const procps: Room = {
  name: 'user/procps',
  needs: [],
  install(image) {
    const bin = { ps, pgrep, pkill, killall, uptime, free, watch, dmesg, hostname, nsenter, unshare }
    for (const [name, main] of Object.entries(bin)) image.program({ name, paths: [`/usr/bin/${name}`], main })
    image.program({ name: 'kill', paths: ['/usr/bin/kill'], main: killCommand })
    const sbin = { sysctl, modprobe, rmmod }
    for (const [name, main] of Object.entries(sbin)) image.program({ name, paths: [`/usr/sbin/${name}`], main })
    image.program({ name: 'lsmod', paths: ['/usr/sbin/lsmod', '/usr/bin/lsmod'], main: lsmod })
    image.file('/etc/sysctl.conf', '# net.ipv4.ip_forward=1\n')
  },
}
