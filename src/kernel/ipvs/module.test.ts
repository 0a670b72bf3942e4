/** lsmod as Linux 6.1 printed it on a machine that had nothing else loaded. */
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { parseLab } from '#lab/plan'

const { plan } = parseLab('networks: { lan: {} }\nhosts: { d: { eth0: lan 10.0.0.254/24 } }', 'lab.yaml')

const NEEDED = `nf_conntrack          188416  1 ip_vs
nf_defrag_ipv6         24576  2 nf_conntrack,ip_vs
nf_defrag_ipv4         16384  1 nf_conntrack
libcrc32c              16384  2 nf_conntrack,ip_vs
`
const ALL = 'rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh'

test('modules count their services and schedulers, and list their users as sysfs does', async () => {
  const lab = new SimLab(plan, { seed: 1, start: 1_767_225_600, capture: false })
  const lsmod = async (command: string) => (await lab.command('d', `${command}; lsmod | tail -n +2`)).output
  expect(await lsmod('ipvsadm -A -t 10.0.0.100:80 -s rr')).toBe(
    `ip_vs_rr               16384  1\nip_vs                 188416  3 ip_vs_rr\n${NEEDED}`,
  )
  expect(await lsmod('ipvsadm -A -u 10.0.0.100:80 -s rr; ipvsadm -A -t 10.0.0.100:81 -s wlc')).toMatch(
    /^ip_vs_wlc {14}16384 {2}1\nip_vs_rr {15}16384 {2}2\nip_vs {17}188416 {2}7 ip_vs_wlc,ip_vs_rr\n/,
  )
  expect(await lsmod('ipvsadm -E -t 10.0.0.100:81 -s rr')).toMatch(
    /^ip_vs_wlc {14}16384 {2}0\nip_vs_rr {15}16384 {2}3\nip_vs {17}188416 {2}7 /,
  )
  expect(await lsmod('ipvsadm -C')).toMatch(/ 0\n.* 0\nip_vs {17}188416 {2}4 /)
  const all = await lsmod(`for s in ${ALL}; do ipvsadm -A -t 10.0.0.100:80 -s $s; ipvsadm -C; done`)
  expect(all).toContain(
    'ip_vs                 188416  26 ip_vs_wlc,ip_vs_rr,ip_vs_dh,ip_vs_lblcr,ip_vs_sh,ip_vs_ovf,ip_vs_fo,ip_vs_nq,ip_vs_lblc,ip_vs_wrr,ip_vs_lc,ip_vs_mh,ip_vs_sed\n',
  )
})
