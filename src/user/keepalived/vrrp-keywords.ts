/** vrrp_instance, vrrp_sync_group, vrrp_script, and what is static. keepalived 2.2.7 vrrp/vrrp_parser.c, vrrp/vrrp_data.c */
import { NotModelled } from '#base/check'
import { isMulticastIpv4 } from '#wire/inet'
import { block, type Configuration, notModelled, UINT_SECONDS, unseen } from './configuration.ts'
import { IFF_LOOPBACK } from './interfaces.ts'
import type { Handler, Keyword, Words } from './keywords.ts'
import {
  type Address,
  isIpv6,
  type NotifyScripts,
  parseAddressOf,
  type SyncGroup,
  VirtualRouter,
  type VrrpScript,
} from './model.ts'
import { INT_MAX, SECOND_US, UINT_MAX } from './numbers.ts'
import { noDefaultUser, notifyScript, scriptOf, setUser } from './scripts.ts'
import { parseTrackedInterface, parseTrackedScript } from './track-keywords.ts'
import { parseVirtualAddress } from './virtual-address.ts'
import { parseRoute } from './virtual-route.ts'

const IFNAMSIZ = 16

/** @param active this process reads them; else they are passed over, but for the parent's being told that they are there */
export function vrrpKeywords(config: Configuration, active: boolean): Keyword[] {
  const noticed = () => {
    config.global.haveVrrp = true
  }
  const passed = () => undefined
  const { vrrp } = config
  const context = () => ({
    reader: config.reader,
    log: config.log,
    interfaces: config.interfaces,
    defaultNic: config.global.defaultInterface
      ? config.interfaces.byName(config.global.defaultInterface)
      : config.interfaces.byName('eth0'),
  })
  const roots: [Keyword, (() => undefined) | (() => void)][] = [
    [notModelled('track_group'), passed],
    [
      {
        name: 'static_ipaddress',
        run: block(config, (words) => {
          const made = parseVirtualAddress(context(), words, true)
          if (made) vrrp.staticAddresses.push(made)
        }),
      },
      noticed,
    ],
    [
      {
        name: 'static_routes',
        run: block(config, (words) => {
          const made = parseRoute(config, words)
          if (made) vrrp.staticRoutes.push(made)
        }),
      },
      noticed,
    ],
    [notModelled('static_rules'), noticed],
    [{ name: 'vrrp_sync_group', run: syncGroup(config), sub: groupKeywords(config) }, passed],
    [{ ...notModelled('garp_group'), sub: [] }, passed],
    [notModelled('linkbeat_interfaces'), passed],
    [
      { name: 'vrrp_instance', run: instance(config), sub: instanceKeywords(config), end: () => endInstance(config) },
      noticed,
    ],
    [{ name: 'vrrp_script', run: script(config), sub: scriptKeywords(config), end: () => endScript(config) }, passed],
    [{ ...notModelled('vrrp_track_process'), sub: [] }, passed],
    [notModelled('interface_up_down_delays'), passed],
  ]
  return roots.map(([root, skipped]) => (active ? root : { ...root, skipped }))
}

/** Blocks of the other processes that have no model of their own. */
export function otherKeywords(active: boolean): Keyword[] {
  const roots = ['bfd_instance', 'vrrp_track_file', 'track_file'].map((name) => ({ ...notModelled(name), sub: [] }))
  return roots.map((root) => (active ? root : { ...root, skipped: () => undefined }))
}

function syncGroup(config: Configuration): Handler {
  return (words) => {
    if (words.count !== 2) {
      config.wrong('vrrp_sync_group must have a name - skipping')
      config.skipBlock()
      return
    }
    const name = words.at(1)
    if (config.vrrp.groups.some((group) => group.name === name)) {
      config.wrong(`vrrp sync group ${name} already defined`)
      config.skipBlock()
      return
    }
    config.vrrp.groups.push({
      name,
      named: undefined,
      members: [],
      state: 'INIT',
      faulty: 0,
      starting: 0,
      trackingWeight: false,
      interfaces: [],
      scripts: [],
      notify: {},
      smtpAlert: undefined,
      notifyPriorityChanges: undefined,
      sameAtReload: false,
    })
  }
}

function groupKeywords(config: Configuration): Keyword[] {
  const group = (): SyncGroup => config.vrrp.groups.at(-1)!
  const notify = (name: string, field: keyof NotifyScripts): Keyword => ({
    name,
    run: (words) => {
      const { notify: scripts, name: of } = group()
      if (scripts[field]) {
        config.wrong(`vrrp group ${of}: ${name} script already specified - ignoring ${words.at(1)}`)
      } else scripts[field] = notifyScript(config, words.line, 'notify')
    },
  })
  return [
    {
      name: 'group',
      run: function* (words) {
        if (group().named) {
          config.wrong(`Group list already specified for sync group ${group().name}`)
          config.skipBlock()
          return
        }
        const named = yield* config.keywords.words(words)
        if (named.length > 0) group().named = named
        else config.wrong(`Warning - sync group ${group().name} has empty group block`)
      },
    },
    {
      name: 'track_interface',
      run: block(config, (words) => parseTrackedInterface(config, group().name, group().interfaces, words)),
    },
    {
      name: 'track_script',
      run: block(config, (words) => parseTrackedScript(config, group().name, group().scripts, words)),
    },
    notModelled('track_file'),
    notModelled('track_process'),
    notModelled('track_bfd'),
    notify('notify_backup', 'backup'),
    notify('notify_master', 'master'),
    notify('notify_fault', 'fault'),
    notify('notify_stop', 'stop'),
    notify('notify', 'any'),
    {
      name: 'smtp_alert',
      run: (words) => {
        group().smtpAlert = config.flag(words, (value) => `Invalid vrrp_group smtp_alert parameter ${value}`)
      },
    },
    {
      name: 'global_tracking',
      run: () => {
        config.wrong(
          `(${group().name}) global_tracking is deprecated. Use track_interface/script/file on the sync group`,
        )
        group().trackingWeight = true
      },
    },
    {
      name: 'sync_group_tracking_weight',
      run: () => {
        group().trackingWeight = true
      },
    },
    {
      name: 'notify_priority_changes',
      run: (words) => {
        const read = config.flag(
          words,
          (value) => `(${group().name}) Invalid value '${value}' for sync group notify_priority_changes specified`,
        )
        if (read !== undefined) group().notifyPriorityChanges = read
      },
    },
  ]
}

function instance(config: Configuration): Handler {
  return (words) => {
    config.global.haveVrrp = true
    if (words.count !== 2) {
      config.wrong('vrrp_instance must have a name')
      config.skipBlock()
      return
    }
    const name = words.at(1)
    if (config.vrrp.routers.some((router) => router.name === name)) {
      config.wrong(`vrrp instance ${name} already defined`)
      config.skipBlock()
      return
    }
    config.vrrp.routers.push(new VirtualRouter(name, config.global))
  }
}

function endInstance(config: Configuration): void {
  const router = config.vrrp.routers.at(-1)
  if (!router) return
  if (router.peers.length === 0 && router.ttl !== -1) {
    config.wrong(`(${router.name}): Cannot use unicast_ttl without unicast peers - resetting`)
    router.ttl = 0
  }
}

function instanceKeywords(config: Configuration): Keyword[] {
  const router = (): VirtualRouter => config.vrrp.routers.at(-1)!
  const say = (text: string) => config.wrong(`(${router().name}) ${text}`)
  const on = (name: string, set: (router: VirtualRouter) => void): Keyword => ({ name, run: () => set(router()) })
  const notify = (name: string, field: keyof NotifyScripts): Keyword => ({
    name,
    run: (words) => {
      const { notify: scripts } = router()
      if (scripts[field]) say(`${name} script already specified - ignoring ${words.at(1)}`)
      else scripts[field] = notifyScript(config, words.line, 'notify')
    },
  })
  const flag = (name: string, set: (router: VirtualRouter, value: boolean) => void): Keyword => ({
    name,
    run: (words) => {
      const read = config.flag(words, (value) => `(${router().name}) invalid ${name} ${value} specified`)
      if (read !== undefined) set(router(), read)
    },
  })
  const seconds = (name: string, set: (router: VirtualRouter, us: number) => void): Keyword => ({
    name,
    run: config.number(
      0,
      UINT_SECONDS,
      true,
      (value) => `(${router().name}): ${name} '${value}' invalid - ignoring`,
      (value) => set(router(), value * SECOND_US),
    ),
  })
  const repeats = (name: string, set: (router: VirtualRouter, count: number) => void): Keyword => ({
    name,
    run: config.number(
      0,
      UINT_MAX,
      true,
      (value) => `(${router().name}): ${name} '${value}' invalid - ignoring`,
      (value) => {
        if (value === 0) config.wrong(`(${router().name}): ${name} must be greater than 0, setting to 1`)
        set(router(), Math.max(1, value))
      },
    ),
  })
  return [
    ...['use_vmac', 'use_vmac_addr', 'vmac_xmit_base', 'use_ipvlan', 'vrf'].map(notModelled),
    {
      name: 'unicast_peer',
      run: (words) => {
        router().unicastConfigured = true
        return config.keywords.block(words, (line) => peer(config, router(), line))
      },
    },
    on('unicast_fault_no_peer', (each) => {
      each.unicastConfigured = each.unicastFaultNoPeer = true
    }),
    on('check_unicast_src', (each) => {
      each.unicastConfigured = each.checkUnicastSource = true
    }),
    notModelled('old_unicast_checksum'),
    {
      name: 'native_ipv6',
      run: () => {
        if (router().family === 4) {
          say('Cannot specify native_ipv6 with IPv4 addresses')
          return
        }
        router().family = 6
        router().version = 3
      },
    },
    { name: 'state', run: (words) => state(config, router(), words) },
    {
      name: 'interface',
      run: (words) => {
        const name = words.at(1)
        if (name.length >= IFNAMSIZ) {
          config.wrong(`Interface name '${name}' too long - ignoring`)
          return
        }
        const nic = config.nic(name)
        if (!nic) config.wrong(`WARNING - interface ${name} for vrrp_instance ${router().name} doesn't exist`)
        else if (nic.flags & IFF_LOOPBACK) say(`cannot use a loopback interface (${name}) for vrrp - ignoring`)
        router().nic = nic && nic.flags & IFF_LOOPBACK ? undefined : nic
      },
    },
    on('dont_track_primary', (each) => {
      each.dontTrackPrimary = true
    }),
    {
      name: 'track_interface',
      run: block(config, (words) => parseTrackedInterface(config, router().name, router().interfaces, words)),
    },
    {
      name: 'track_script',
      run: block(config, (words) => parseTrackedScript(config, router().name, router().scripts, words)),
    },
    notModelled('track_file'),
    notModelled('track_process'),
    notModelled('track_bfd'),
    { name: 'mcast_src_ip', run: (words) => sourceAddress(config, router(), words) },
    {
      name: 'unicast_src_ip',
      run: (words) => {
        router().unicastConfigured = true
        sourceAddress(config, router(), words)
      },
    },
    { name: 'mcast_dst_ip', run: (words) => group(config, router(), words) },
    on('track_src_ip', (each) => {
      each.trackSource = true
    }),
    {
      name: 'virtual_router_id',
      run: config.number(
        1,
        255,
        false,
        (value) => `(${router().name}): VRID '${value}' not valid - must be between 1 & 255`,
        (value) => {
          router().vrid = value
        },
      ),
    },
    {
      name: 'unicast_ttl',
      run: config.number(
        0,
        255,
        false,
        (value) => `(${router().name}): TTL '${value}' not valid - must be between 0 & 255`,
        (value) => {
          router().ttl = value
        },
      ),
    },
    { name: 'version', run: (words) => version(config, router(), words) },
    {
      name: 'priority',
      run: (words) => {
        const read = config.unsigned(words, 1, 1, 255, false)
        if (read === undefined) say('Priority not valid! must be between 1 & 255. Using default 100')
        router().basePriority = read ?? 100
      },
    },
    {
      name: 'advert_int',
      run: (words) => {
        const read = config.seconds(words, 1, 10_000, 255 * SECOND_US, true)
        if (!read) say(`Advert interval (${words.at(1)}) not valid! Must be > 0 - ignoring`)
        else router().advertUs = read
      },
    },
    {
      name: 'virtual_ipaddress',
      run: block(config, (words) => {
        const made = parseVirtualAddress(config, words, false)
        if (!made) return
        const family = isIpv6(made.address) ? 6 : 4
        router().family ??= family
        if (router().family !== family) {
          config.wrong(`(${router().name}): address family must match VRRP instance [${words.at(0)}] - ignoring`)
        } else router().addresses.push(made)
      }),
    },
    {
      name: 'virtual_ipaddress_excluded',
      run: block(config, (words) => {
        const made = parseVirtualAddress(config, words, false)
        if (made) router().excluded.push(made)
      }),
    },
    notModelled('promote_secondaries'),
    notModelled('linkbeat_use_polling'),
    {
      name: 'virtual_routes',
      run: block(config, (words) => {
        const made = parseRoute(config, words)
        if (made) router().routes.push(made)
      }),
    },
    notModelled('virtual_rules'),
    on('accept', (each) => {
      each.accept = true
    }),
    on('no_accept', (each) => {
      each.accept = false
    }),
    flag('skip_check_adv_addr', (each) => {
      each.skipCheckAdvertAddress = true
    }),
    flag('strict_mode', (each, value) => {
      each.strict = value
    }),
    on('preempt', (each) => {
      each.noPreempt = false
    }),
    on('nopreempt', (each) => {
      each.noPreempt = true
    }),
    {
      name: 'preempt_delay',
      run: (words) => {
        const read = config.seconds(words, 1, 0, 1000 * SECOND_US, true)
        if (read === undefined) say('Preempt_delay not valid! must be between 0-1000')
        router().preemptDelayUs = read ?? 0
      },
    },
    {
      name: 'debug',
      run: config.number(
        0,
        4,
        true,
        (value) => `(${router().name}) Debug value '${value}' not valid; must be between 0-4`,
        (value) => {
          router().debug = value
        },
      ),
    },
    notify('notify_backup', 'backup'),
    notify('notify_master', 'master'),
    notify('notify_fault', 'fault'),
    notify('notify_stop', 'stop'),
    {
      name: 'notify_deleted',
      run: (words) => {
        const each = router()
        if (each.notifyDeleted) {
          say(`notify_deleted already specified - ignoring ${words.all[1] ?? ''}`)
          return
        }
        if (words.count > 1) each.notify.deleted = notifyScript(config, words.line, 'notify')
        each.notifyDeleted = true
      },
    },
    notify('notify', 'any'),
    notify('notify_master_rx_lower_pri', 'masterRxLowerPri'),
    {
      name: 'smtp_alert',
      run: (words) => {
        router().smtpAlert = config.flag(words, (value) => `Invalid vrrp_instance smtp_alert parameter ${value}`)
      },
    },
    {
      name: 'notify_priority_changes',
      run: (words) => {
        const read = config.flag(
          words,
          (value) => `(${router().name}) Invalid value '${value}' for notify_priority_changes specified`,
        )
        if (read !== undefined) router().notifyPriorityChanges = read
      },
    },
    {
      name: 'lvs_sync_daemon_interface',
      run: (words) => {
        const { name } = router()
        config.wrong(`(${name}) Specifying lvs_sync_daemon_interface against a vrrp is deprecated.`)
        config.wrong(`      ${' '.repeat(Math.max(0, name.length - 2))}Please use global lvs_sync_daemon`)
        const { lvsSync } = config.global
        if (lvsSync) {
          say(`lvs_sync_daemon_interface has already been specified as ${lvsSync.interface} - ignoring`)
        } else config.global.lvsSync = { interface: words.at(1), instance: name }
      },
    },
    seconds('garp_master_delay', (each, value) => {
      each.garpDelayUs = value
    }),
    {
      name: 'garp_master_refresh',
      run: (words) => {
        const read = config.unsigned(words, 1, 0, UINT_MAX, true)
        if (read === undefined) {
          config.wrong(`(${router().name}): Invalid garp_master_refresh '${words.at(1)}' - ignoring`)
        }
        router().garpRefreshS = read ?? 0
      },
    },
    repeats('garp_master_repeat', (each, value) => {
      each.garpRepeat = value
    }),
    repeats('garp_master_refresh_repeat', (each, value) => {
      each.garpRefreshRepeat = value
    }),
    seconds('garp_lower_prio_delay', (each, value) => {
      each.garpLowerDelayUs = value
    }),
    {
      name: 'garp_lower_prio_repeat',
      run: config.number(
        0,
        INT_MAX,
        true,
        (value) => `(${router().name}): Invalid garp_lower_prio_repeat '${value}'`,
        (value) => {
          router().garpLowerRepeat = value
        },
      ),
    },
    {
      name: 'down_timer_adverts',
      run: config.number(
        1,
        100,
        true,
        (value) => `(${router().name}): Invalid down_timer_adverts [1:100] '${value}'`,
        (value) => {
          router().downTimerAdverts = value
        },
      ),
    },
    unseen('garp_extra_if'),
    unseen('vmac_garp_intvl'),
    flag('lower_prio_no_advert', (each, value) => {
      each.lowerPrioNoAdvert = value
    }),
    flag('higher_prio_send_advert', (each, value) => {
      each.higherPrioSendAdvert = value
    }),
    {
      name: 'kernel_rx_buf_size',
      run: (words) => {
        const read = words.count === 2 ? config.unsigned(words, 1, 0, UINT_MAX, false) : undefined
        if (read === undefined) say('invalid kernel_rx_buf_size specified')
        else router().kernelRxBuffer = read
      },
    },
    {
      name: 'authentication',
      sub: [
        {
          name: 'auth_type',
          run: (words) => {
            const type = words.at(1)
            if (type === 'PASS') router().authType = 'PASS'
            else if (type === 'AH') router().authType = 'AH'
            else say(`unknown authentication type '${type}'`)
          },
        },
        {
          name: 'auth_pass',
          run: (words) => {
            const bytes = [...words.at(1)].map((char) => char.charCodeAt(0) & 255)
            if (bytes.length > 8) config.wrong('Truncating auth_pass to 8 characters')
            router().authData = new Uint8Array(8)
            router().authData.set(bytes.slice(0, 8))
          },
        },
      ],
    },
  ]
}

function state(config: Configuration, router: VirtualRouter, words: Words): void {
  const text = words.at(1)
  if (text === 'MASTER') router.wanted = 'MASTER'
  else if (text === 'BACKUP') {
    if (router.wanted === 'MASTER') {
      config.wrong(`(${router.name}) state previously set as MASTER - ignoring BACKUP`)
    } else router.wanted = 'BACKUP'
  } else {
    config.wrong(`(${router.name}) unknown state '${text}', defaulting to BACKUP`)
    router.wanted = 'BACKUP'
  }
}

function version(config: Configuration, router: VirtualRouter, words: Words): void {
  const read = config.int(words, 1, 2, 3, true)
  if (read === undefined) config.wrong(`(${router.name}): Version must be either 2 or 3`)
  else if ((router.version !== 0 && router.version !== read) || (read === 2 && router.family === 6)) {
    config.wrong(
      `(${router.name}) vrrp_version ${read} conflicts with configured or deduced version ${router.version}; ignoring.`,
    )
  } else router.version = read
}

const familyOf = (address: Address): 4 | 6 => (isIpv6(address) ? 6 : 4)

function sourceAddress(config: Configuration, router: VirtualRouter, words: Words): void {
  const text = words.at(1)
  const address = parseAddressOf(text)
  if (address === undefined) {
    config.wrong(`Configuration error: VRRP instance[${router.name}] malformed src address[${text}]. Skipping...`)
    return
  }
  router.family ??= familyOf(address)
  if (router.family !== familyOf(address)) {
    config.wrong(
      `Configuration error: VRRP instance[${router.name}] and src address[${text}] MUST be of the same family !!! Skipping...`,
    )
    return
  }
  router.source = address
  router.sourceConfigured = true
}

function group(config: Configuration, router: VirtualRouter, words: Words): void {
  const text = words.at(1)
  const address = parseAddressOf(text)
  if (address === undefined) {
    config.wrong(`(${router.name}) malformed mcast dest address ${text}. Skipping...`)
    return
  }
  router.family ??= familyOf(address)
  if (router.family !== familyOf(address)) {
    config.wrong(`(${router.name}) mcast dest address ${text} MUST match VRRP instance family. Skipping...`)
    return
  }
  if (isIpv6(address) ? address.w0 >>> 16 !== 0xff02 : !isMulticastIpv4(address)) {
    const kind = isIpv6(address) ? ' link-local' : ''
    config.wrong(`(${router.name}) mcast_dst_ip ${text} not${kind} multicast. Skipping...`)
    return
  }
  router.group = address
}

function peer(config: Configuration, router: VirtualRouter, words: Words): void {
  const text = words.at(0)
  const address = parseAddressOf(text)
  if (address === undefined) {
    config.wrong(
      `Configuration error: VRRP instance[${router.name}] malformed unicast peer address[${text}]. Skipping...`,
    )
    return
  }
  router.family ??= familyOf(address)
  if (router.family !== familyOf(address)) {
    config.wrong(
      `Configuration error: VRRP instance[${router.name}] and unicast peer address[${text}] MUST be of the same family !!! Skipping...`,
    )
    return
  }
  const made = { address, leastTtl: 0, mostTtl: 255 }
  for (let i = 1; i < words.count; i += 2) {
    const word = words.at(i)
    if (i + 1 >= words.count) {
      config.wrong(`(${router.name}) ${word} is missing a value`)
      break
    }
    const ttl = config.unsigned(words, i + 1, 0, 255, false)
    if (ttl === undefined) continue
    if (word === 'min_ttl') made.leastTtl = ttl
    else if (word === 'max_ttl') made.mostTtl = ttl
    else {
      config.wrong(`(${router.name}) unknown unicast_peer option ${word}`)
      break
    }
    router.checkUnicastSource = true
  }
  if (made.leastTtl > made.mostTtl) {
    config.wrong(`(${router.name}) min_ttl ${made.leastTtl} > max_ttl ${made.mostTtl} - all packets will be discarded`)
  }
  router.peers.push(made)
}

interface NewScript extends VrrpScript {
  userKnown?: boolean
  remove?: boolean
}

function script(config: Configuration): Handler {
  return (words) => {
    const made: NewScript = {
      name: words.at(1),
      script: undefined,
      intervalUs: SECOND_US,
      timeoutUs: 0,
      weight: 0,
      reverse: false,
      rise: 1,
      fall: 1,
      insecure: false,
      init: config.reloading ? 'INIT_RELOAD' : 'INIT',
      running: 'IDLE',
      result: 0,
      lastStatus: 0,
      tracking: [],
    }
    config.vrrp.scripts.push(made)
  }
}

function scriptKeywords(config: Configuration): Keyword[] {
  const current = (): NewScript => config.vrrp.scripts.at(-1)!
  const time = (name: string, complaint: (value: string) => string, set: (us: number) => void): Keyword => ({
    name,
    run: config.number(0, UINT_SECONDS, true, complaint, (value) => {
      if (value === 0) config.wrong(`(${current().name}): vrrp script ${name} must be greater than 0, setting to 1`)
      set(Math.max(1, value) * SECOND_US)
    }),
  })
  const count = (name: 'rise' | 'fall'): Keyword => ({
    name,
    run: (words) => {
      const read = config.unsigned(words, 1, 1, INT_MAX, true)
      if (read === undefined) {
        config.wrong(`(${current().name}): vrrp script ${name} value '${words.at(1)}' invalid, defaulting to 1`)
      }
      current()[name] = read ?? 1
    },
  })
  return [
    {
      name: 'script',
      run: (words) => {
        current().script = scriptOf(config, words.line)?.script
      },
    },
    time(
      'interval',
      (value) =>
        `(${current().name}): vrrp script interval '${value}' must be between 1 and ${UINT_SECONDS} - ignoring`,
      (value) => {
        current().intervalUs = value
      },
    ),
    time(
      'timeout',
      (value) => `(${current().name}): vrrp script timeout '${value}' invalid - ignoring`,
      (value) => {
        current().timeoutUs = value
      },
    ),
    {
      name: 'weight',
      run: (words) => {
        const read = config.int(words, 1, -253, 253, true)
        if (read === undefined) {
          config.wrong(`vrrp_script ${current().name} weight ${words.at(1)} must be in [-253, 253]`)
          throw new NotModelled('keepalived: a vrrp_script with a weight out of bounds')
        }
        current().weight = read
        if (words.count < 3) return
        if (words.at(2) === 'reverse') current().reverse = true
        else config.wrong(`vrrp_script ${current().name} unknown weight option ${words.at(2)}`)
      },
    },
    count('rise'),
    count('fall'),
    {
      name: 'user',
      run: (words) => {
        words.at(1)
        const known = setUser(config, words.all.slice(1))
        if (!known) {
          const args = current().script?.args ?? []
          config.wrong(`Unable to set uid/gid for script ${args.map((arg) => `'${arg}'`).join(' ')}`)
        }
        current().remove = !known
        if (known) current().userKnown = true
      },
    },
    {
      name: 'init_fail',
      run: () => {
        current().init = 'FAILED'
      },
    },
  ]
}

function endScript(config: Configuration): void {
  const made: NewScript = config.vrrp.scripts.at(-1)!
  if (!made.script) {
    config.wrong(`No script set for vrrp_script ${made.name} - removing`)
    made.remove = true
  } else if (!made.remove && !made.userKnown && noDefaultUser(config)) {
    config.wrong(`Unable to set default user for vrrp script ${made.name} - removing`)
    made.remove = true
  }
  if (made.remove) config.vrrp.scripts.pop()
}
