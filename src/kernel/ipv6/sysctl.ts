/**
 * net.ipv6.*: what may be written, and what a write does besides. Unlike IPv4's, a write to `all` changes no device, but for
 * forwarding, disable_ipv6 and a few more.
 *
 * Linux 6.1 net/ipv6/addrconf.c: addrconf_sysctl_forward(), addrconf_sysctl_disable(), addrconf_sysctl_addr_gen_mode();
 * net/ipv6/sysctl_net_ipv6.c, route.c, icmp.c, reassembly.c.
 */
import { fail, type Host, type KernelImage, OK, parseIntegers, type SysResult } from '#kernel/core'
import { deviceByName, devices, installNeighSysctls } from '#kernel/net'
import { CONF6_FILES, CONF6_RANGES, type Conf6, type Conf6Name } from './conf.ts'
import { type Link6, link6 } from './inet6dev.ts'
import { addLink, disableChanged, forwardingChanged, generateAddress } from './links.ts'
import { DEFAULT_SYSCTLS6, type State6, type Sysctls6, state6 } from './state.ts'

function namesWithIpv6(host: Host): string[] {
  return devices(host)
    .filter((device) => device.mtu >= 1280)
    .map((device) => device.name)
    .sort()
}

/** The device's, made if this is the first that is asked of it. */
function linkOf(state: State6, name: string): Link6 | undefined {
  const device = deviceByName(state.host, name)
  return device && (link6(device) ?? addLink(state, device))
}

function confOf(host: Host, instance: string): Conf6 | undefined {
  const state = state6.of(host)
  if (instance === 'all') return state.confAll
  if (instance === 'default') return state.confDefault
  return linkOf(state, instance)?.conf
}

function shown(host: Host, instance: string, name: Conf6Name): string {
  const value = confOf(host, instance)?.[name] ?? 0
  if (name !== 'mtu' || instance === 'all' || instance === 'default') return String(value)
  return String(linkOf(state6.of(host), instance)!.mtu6)
}

/** Sets one value as a write to /proc/sys/net/ipv6/conf/INSTANCE does. */
export function setConf6(host: Host, instance: string, name: Conf6Name, value: number): SysResult<void> {
  const state = state6.of(host)
  const range = CONF6_RANGES[name]
  if (range && (value < range[0] || value > range[1])) return fail('EINVAL')
  state.routesChanged()
  if (name === 'forwarding') setForwarding(state, instance, value)
  else if (name === 'disableIpv6') setDisabled(state, instance, value)
  else if (name === 'ignoreRoutesWithLinkdown' && instance === 'all') {
    state.confAll = state.confAll.with(name, value)
    state.confDefault = state.confDefault.with(name, value)
    for (const link of allLinks(state)) link.conf = link.conf.with(name, value)
  } else if (name === 'mtu') {
    const link = instance === 'all' || instance === 'default' ? undefined : linkOf(state, instance)
    const most = link ? link.device.mtu : 2 ** 31 - 1
    if (value < 1280 || value > most) return fail('EINVAL')
    if (link) link.mtu6 = value
    else write(state, instance, name, value)
  } else if (name === 'addrGenMode') {
    if (value < 0 || value > 3) return fail('EINVAL')
    write(state, instance, name, value)
    if (instance === 'all') {
      state.confDefault = state.confDefault.with(name, value)
      for (const link of allLinks(state)) changeGenMode(link, value)
    } else if (instance !== 'default') changeGenMode(linkOf(state, instance)!, value)
  } else write(state, instance, name, value)
  return OK
}

function changeGenMode(link: Link6, value: number): void {
  link.conf = link.conf.with('addrGenMode', value)
  if (link.ready && !link.device.loops && !link.conf.disableIpv6) generateAddress(link)
}

function write(state: State6, instance: string, name: Conf6Name, value: number): void {
  if (instance === 'all') state.confAll = state.confAll.with(name, value)
  else if (instance === 'default') state.confDefault = state.confDefault.with(name, value)
  else {
    const link = linkOf(state, instance)
    if (link) link.conf = link.conf.with(name, value)
  }
}

/** Those of all devices; each is made, as at boot. */
function allLinks(state: State6): Link6[] {
  return state.net.devices.map((device) => link6(device) ?? addLink(state, device)).filter((link) => link !== undefined)
}

/** addrconf_fixup_forwarding(), addrconf_forward_change(). */
function setForwarding(state: State6, instance: string, value: number): void {
  if (instance === 'default') {
    write(state, instance, 'forwarding', value)
    return
  }
  const change = (link: Link6) => {
    const changed = (link.conf.forwarding !== 0) !== (value !== 0)
    link.conf = link.conf.with('forwarding', value)
    if (changed) forwardingChanged(link)
  }
  if (instance !== 'all') change(linkOf(state, instance)!)
  else {
    state.confDefault = state.confDefault.with('forwarding', value)
    state.confAll = state.confAll.with('forwarding', value)
    for (const link of allLinks(state)) change(link)
  }
  // A router doesn't follow others' advertisements: default routes of theirs go. rt6_purge_dflt_routers().
  if (value === 0) return
  for (const route of state.main.routes.filter((each) => each.defaultRouter)) {
    if ((route.device && link6(route.device)?.conf.acceptRa) !== 2) state.main.remove(route)
  }
}

/** addrconf_disable_ipv6(). */
function setDisabled(state: State6, instance: string, value: number): void {
  if (instance === 'default') {
    write(state, instance, 'disableIpv6', value)
    return
  }
  const change = (link: Link6) => {
    const changed = (link.conf.disableIpv6 !== 0) !== (value !== 0)
    link.conf = link.conf.with('disableIpv6', value)
    if (changed) disableChanged(link.device)
  }
  if (instance !== 'all') {
    change(linkOf(state, instance)!)
    return
  }
  state.confAll = state.confAll.with('disableIpv6', value)
  state.confDefault = state.confDefault.with('disableIpv6', value)
  for (const link of allLinks(state)) change(link)
}

function installConf(image: KernelImage): void {
  const list = (host: Host) => ['all', 'default', ...namesWithIpv6(host)].sort()
  for (const [file, name] of CONF6_FILES) {
    const sysctl = {
      name: `net.ipv6.conf.*.${file}`,
      list,
      get: (host: Host, instance: string) => shown(host, instance, name),
    }
    if (name === 'mcForwarding') image.sysctl(sysctl)
    else {
      image.sysctl({
        ...sysctl,
        set(host, instance, text) {
          const parsed = parseIntegers(text, 1)
          return parsed.ok ? setConf6(host, instance, name, parsed.value[0]!) : parsed
        },
      })
    }
  }
}

type Name = keyof Sysctls6

const PLAIN: [file: string, name: Name, least?: number, most?: number][] = [
  ['anycast_src_echo_reply', 'anycastSrcEchoReply', 0, 1],
  ['auto_flowlabels', 'autoFlowlabels', 0, 3],
  ['bindv6only', 'bindv6only', 0, 1],
  ['fib_multipath_hash_fields', 'fibMultipathHashFields', 1, 255],
  ['fib_multipath_hash_policy', 'fibMultipathHashPolicy', 0, 3],
  ['fib_notify_on_flag_change', 'fibNotifyOnFlagChange', 0, 2],
  ['flowlabel_consistency', 'flowlabelConsistency', 0, 1],
  ['flowlabel_reflect', 'flowlabelReflect', 0, 7],
  ['flowlabel_state_ranges', 'flowlabelStateRanges', 0, 1],
  ['fwmark_reflect', 'fwmarkReflect', 0, 1],
  ['idgen_delay', 'idgenDelay'],
  ['idgen_retries', 'idgenRetries'],
  ['ip6frag_high_thresh', 'ip6fragHighThresh', 0],
  ['ip6frag_low_thresh', 'ip6fragLowThresh', 0],
  ['ip6frag_time', 'ip6fragTime', 0],
  ['ip_nonlocal_bind', 'ipNonlocalBind', 0, 1],
  ['max_dst_opts_length', 'maxDstOptsLength'],
  ['max_dst_opts_number', 'maxDstOptsNumber'],
  ['max_hbh_length', 'maxHbhLength'],
  ['max_hbh_opts_number', 'maxHbhOptsNumber'],
  ['seg6_flowlabel', 'seg6Flowlabel'],
  ['icmp.echo_ignore_all', 'echoIgnoreAll', 0, 255],
  ['icmp.echo_ignore_anycast', 'echoIgnoreAnycast', 0, 255],
  ['icmp.echo_ignore_multicast', 'echoIgnoreMulticast', 0, 255],
  ['icmp.ratelimit', 'ratelimit', 0],
  ['route.gc_elasticity', 'gcElasticity'],
  ['route.gc_interval', 'gcInterval'],
  ['route.gc_min_interval', 'gcMinInterval'],
  ['route.gc_min_interval_ms', 'gcMinIntervalMs'],
  ['route.gc_thresh', 'gcThresh'],
  ['route.gc_timeout', 'gcTimeout'],
  ['route.max_size', 'maxSize'],
  ['route.min_adv_mss', 'minAdvMss'],
  ['route.mtu_expires', 'mtuExpires'],
  ['route.skip_notify_on_dev_down', 'skipNotifyOnDevDown', 0, 1],
]

function installPlain(image: KernelImage): void {
  for (const [file, name, least = -(2 ** 31), most = 2 ** 31 - 1] of PLAIN) {
    image.sysctl({
      name: `net.ipv6.${file}`,
      get: (host) => String((state6.peek(host)?.sysctls ?? DEFAULT_SYSCTLS6)[name]),
      set(host, _instance, text) {
        const parsed = parseIntegers(text, 1)
        if (!parsed.ok) return parsed
        const value = parsed.value[0]!
        if (value < least || value > most) return fail('EINVAL')
        ;(state6.of(host).writableSysctls() as unknown as Record<string, number>)[name] = value
        return OK
      },
    })
  }
  image.sysctl({
    name: 'net.ipv6.icmp.ratemask',
    get: (host) => (state6.peek(host)?.sysctls ?? DEFAULT_SYSCTLS6).ratemask,
    set(host, _instance, text) {
      if (!/^\s*(\d+(-\d+)?(,\d+(-\d+)?)*)?\s*$/.test(text)) return fail('EINVAL')
      state6.of(host).writableSysctls().ratemask = text.trim()
      return OK
    },
  })
  image.sysctl({
    name: 'net.ipv6.route.flush',
    get: () => '',
    set(host) {
      const state = state6.of(host)
      for (const table of state.allTables()) for (const route of table.routes) route.exceptions = undefined
      state.routesChanged()
      return OK
    },
    mode: 0o200,
  })
}

export function installSysctls6(image: KernelImage): void {
  installConf(image)
  installPlain(image)
  installNeighSysctls(image, 'ipv6', {
    table: (host) => state6.of(host).nd,
    link: (host, name) => linkOf(state6.of(host), name),
    links: (host) => allLinks(state6.of(host)),
    names: namesWithIpv6,
  })
}
