/** global_defs. keepalived 2.2.7 core/global_parser.c */
import { isMulticastIpv4, isMulticastIpv6, parseIpv4, parseIpv6 } from '#wire/inet'
import { type Configuration, notModelled, UINT_SECONDS, unseen } from './configuration.ts'
import type { Handler, Keyword } from './keywords.ts'
import { type LvsSync, parseAddressOf } from './model.ts'
import { SECOND_US, UINT_MAX } from './numbers.ts'
import { notifyScript, setDefaultUser } from './scripts.ts'

const LVS_MAX_TIMEOUT = 86_400 * 31

/** @param active this process reads them; else they are passed over */
export function globalKeywords(config: Configuration, active: boolean): Keyword[] {
  const skipped = active ? {} : { skipped: () => undefined }
  const roots: Keyword[] = [
    unseen('linkbeat_use_polling'),
    notModelled('net_namespace'),
    notModelled('net_namespace_ipvs'),
    unseen('namespace_with_ipsets'),
    notModelled('use_pid_dir'),
    notModelled('instance'),
    {
      name: 'child_wait_time',
      run: config.number(
        0,
        UINT_MAX,
        false,
        (value) => `Invalid child_wait_time ${value}`,
        (value) => {
          config.global.childWaitS = value
        },
      ),
    },
    { name: 'global_defs', sub: definitions(config) },
  ]
  return roots.map((root) => ({ ...root, ...skipped }))
}

function definitions(config: Configuration): Keyword[] {
  const { global } = config
  const flag = (name: string, complaint: (value: string) => string, set: (value: boolean) => void): Keyword => ({
    name,
    run: (words) => {
      const read = config.flag(words, complaint)
      if (read !== undefined) set(read)
    },
  })
  const on = (name: string, set: () => void): Keyword => ({ name, run: () => set() })
  const seconds = (name: string, set: (us: number) => void): Keyword => ({
    name,
    run: config.number(
      0,
      UINT_SECONDS,
      true,
      (value) => `${name} '${value}' invalid - ignoring`,
      (value) => set(value * SECOND_US),
    ),
  })
  const repeats = (name: string, set: (count: number) => void): Keyword => ({
    name,
    run: config.number(
      0,
      UINT_MAX,
      true,
      (value) => `${name} '${value}' invalid - ignoring`,
      (value) => {
        if (value === 0) config.wrong(`${name} must be greater than 0, setting to 1`)
        set(Math.max(1, value))
      },
    ),
  })
  const processName = (name: string, set: (value: string) => void): Keyword => ({
    name,
    run: (words) => set(words.at(1).slice(0, 15)),
  })
  const fifo = (name: string, of: 'notifyFifo' | 'vrrpNotifyFifo' | 'lvsNotifyFifo'): Keyword => ({
    name,
    run: (words) => {
      if (words.count < 2) config.wrong(`No ${name} name specified`)
      else if (global[of].name !== undefined) config.wrong(`${name} already specified - ignoring ${words.at(1)}`)
      else global[of].name = words.at(1)
    },
  })
  const fifoScript = (name: string, of: 'notifyFifo' | 'vrrpNotifyFifo' | 'lvsNotifyFifo'): Keyword => ({
    name,
    run: (words) => {
      global[of].script = notifyScript(config, words.line, 'notify')
    },
  })
  return [
    on('process_names', () => {
      global.processName = 'keepalived'
      global.vrrpProcessName = 'keepalived_vrrp'
      global.checkerProcessName = 'keepalived_ipvs'
    }),
    processName('process_name', (value) => {
      global.processName = value
    }),
    processName('vrrp_process_name', (value) => {
      global.vrrpProcessName = value
    }),
    processName('checker_process_name', (value) => {
      global.checkerProcessName = value
    }),
    processName('lvs_process_name', (value) => {
      global.checkerProcessName = value
    }),
    unseen('bfd_process_name'),
    {
      name: 'router_id',
      run: (words) => {
        if (words.count < 2) config.wrong('routerid name missing - ignoring')
        else global.routerId = words.at(1)
      },
    },
    {
      name: 'notification_email_from',
      run: (words) => {
        global.emailFrom = words.at(1)
      },
    },
    {
      name: 'smtp_server',
      run: (words) => {
        global.smtpServer = words.at(1)
      },
    },
    unseen('smtp_helo_name'),
    unseen('smtp_connect_timeout'),
    {
      name: 'notification_email',
      run: function* (words) {
        const read = yield* config.keywords.words(words)
        if (read.length === 0) config.wrong('Warning - empty notification_email block')
        global.emails.push(...read)
      },
    },
    flag(
      'smtp_alert',
      (value) => `Invalid value '${value}' for global smtp_alert specified`,
      (value) => {
        global.smtpAlert = value
      },
    ),
    flag(
      'smtp_alert_vrrp',
      (value) => `Invalid value '${value}' for global smtp_alert_vrrp specified`,
      (value) => {
        global.smtpAlertVrrp = value
      },
    ),
    flag(
      'smtp_alert_checker',
      (value) => `Invalid value '${value}' for global smtp_alert_checker specified`,
      (value) => {
        global.smtpAlertChecker = value
      },
    ),
    flag(
      'checker_log_all_failures',
      (value) => `Invalid value '${value}' for global checker_log_all_failures specified`,
      (value) => {
        global.checkerLogAllFailures = value
      },
    ),
    {
      name: 'startup_script',
      run: (words) => {
        global.startupScript = notifyScript(config, words.line, 'startup')
      },
    },
    unseen('startup_script_timeout'),
    {
      name: 'shutdown_script',
      run: (words) => {
        global.shutdownScript = notifyScript(config, words.line, 'shutdown')
      },
    },
    unseen('shutdown_script_timeout'),
    {
      name: 'max_auto_priority',
      run: (words) => {
        const read = words.count < 2 ? 99 : config.int(words, 1, -1, 99, true)
        if (read === undefined)
          config.wrong(`max_auto_priority '${words.at(1)}' must be in [0, 99] (or -1 to disable) - ignoring`)
        else global.maxAutoPriority = read
      },
    },
    unseen('min_auto_priority_delay'),
    {
      name: 'dynamic_interfaces',
      run: (words) => {
        global.dynamicInterfaces = true
        if (words.count < 2) return
        if (words.at(1) !== 'allow_if_changes') config.wrong(`Unknown dynamic_interfaces option '${words.at(1)}'`)
      },
    },
    on('no_email_faults', () => {
      global.noEmailFaults = true
    }),
    {
      name: 'default_interface',
      run: (words) => {
        if (words.count < 2) config.wrong('default_interface requires interface name')
        else global.defaultInterface = words.at(1)
      },
    },
    notModelled('disable_local_igmp'),
    { name: 'lvs_timeouts', run: lvsTimeouts(config) },
    on('lvs_flush', () => {
      global.lvsFlush = true
    }),
    ...['lvs_flush_on_stop', 'lvs_flush_onstop'].map(
      (name): Keyword => ({
        name,
        run: (words) => {
          if (words.count === 1) global.lvsFlushOnStop = 'full'
          else if (words.at(1) === 'VS') global.lvsFlushOnStop = 'vs'
          else config.wrong(`Unknown lvs_flush_on_stop type ${words.at(1)}`)
        },
      }),
    ),
    { name: 'lvs_sync_daemon', run: lvsSync(config) },
    { name: 'vrrp_mcast_group4', run: mcastGroup4(config) },
    { name: 'vrrp_mcast_group6', run: mcastGroup6(config) },
    seconds('vrrp_garp_master_delay', (value) => {
      global.garpDelayUs = value
    }),
    repeats('vrrp_garp_master_repeat', (value) => {
      global.garpRepeat = value
    }),
    {
      name: 'vrrp_garp_master_refresh',
      run: config.number(
        0,
        UINT_MAX,
        true,
        (value) => `Invalid vrrp_garp_master_refresh '${value}' - ignoring`,
        (value) => {
          global.garpRefreshS = value
        },
      ),
    },
    repeats('vrrp_garp_master_refresh_repeat', (value) => {
      global.garpRefreshRepeat = value
    }),
    seconds('vrrp_garp_lower_prio_delay', (value) => {
      global.garpLowerDelayUs = value
    }),
    {
      name: 'vrrp_garp_lower_prio_repeat',
      run: config.number(
        0,
        UINT_MAX,
        true,
        (value) => `Invalid vrrp_garp_lower_prio_repeat '${value}'`,
        (value) => {
          global.garpLowerRepeat = value
        },
      ),
    },
    {
      name: 'vrrp_down_timer_adverts',
      run: config.number(
        1,
        100,
        true,
        (value) => `Invalid vrrp_down_timer_adverts [1:100] '${value}'`,
        (value) => {
          global.downTimerAdverts = value
        },
      ),
    },
    interval(config, 'vrrp_garp_interval', (value) => {
      global.garpIntervalUs = value
    }),
    interval(config, 'vrrp_gna_interval', (value) => {
      global.gnaIntervalUs = value
    }),
    { name: 'vrrp_min_garp', run: minGarp(config) },
    unseen('vrrp_garp_extra_if'),
    unseen('vrrp_vmac_garp_intvl'),
    flag(
      'vrrp_lower_prio_no_advert',
      () => 'Invalid value for vrrp_lower_prio_no_advert specified',
      (value) => {
        global.lowerPrioNoAdvert = value
      },
    ),
    flag(
      'vrrp_higher_prio_send_advert',
      () => 'Invalid value for vrrp_higher_prio_send_advert specified',
      (value) => {
        global.higherPrioSendAdvert = value
      },
    ),
    {
      name: 'vrrp_version',
      run: (words) => {
        const read = config.int(words, 1, 2, 3, true)
        if (read === undefined) config.wrong('VRRP Error: Version must be either 2 or 3')
        else global.version = read
      },
    },
    notModelled('vrrp_iptables'),
    notModelled('vrrp_ipsets'),
    notModelled('nftables'),
    unseen('nftables_priority'),
    unseen('nftables_ifindex'),
    notModelled('nftables_ipvs'),
    unseen('nftables_ipvs_priority'),
    unseen('nftables_ipvs_start_fwmark'),
    unseen('nftables_counters'),
    on('vrrp_check_unicast_src', () => {
      global.checkUnicastSource = true
    }),
    on('vrrp_skip_check_adv_addr', () => {
      global.skipCheckAdvertAddress = true
    }),
    on('vrrp_strict', () => {
      global.strict = true
    }),
    ...['vrrp', 'checker', 'bfd'].flatMap((each) =>
      ['priority', 'no_swap', 'rt_priority', 'cpu_affinity', 'rlimit_rttime', 'rlimit_rtime'].map((setting) =>
        unseen(`${each}_${setting}`),
      ),
    ),
    fifo('notify_fifo', 'notifyFifo'),
    fifoScript('notify_fifo_script', 'notifyFifo'),
    fifo('vrrp_notify_fifo', 'vrrpNotifyFifo'),
    fifoScript('vrrp_notify_fifo_script', 'vrrpNotifyFifo'),
    flag(
      'vrrp_notify_priority_changes',
      (value) => `Invalid value '${value}' for global vrrp_notify_priority_changes specified`,
      (value) => {
        global.notifyPriorityChanges = value
      },
    ),
    unseen('fifo_write_vrrp_states_on_reload'),
    fifo('lvs_notify_fifo', 'lvsNotifyFifo'),
    fifoScript('lvs_notify_fifo_script', 'lvsNotifyFifo'),
    ...['snmp_socket', 'enable_traps', 'enable_snmp_vrrp', 'enable_snmp_keepalived', 'enable_snmp_rfc'].map(
      notModelled,
    ),
    ...['enable_snmp_rfcv2', 'enable_snmp_rfcv3', 'enable_snmp_checker', 'enable_dbus'].map(notModelled),
    unseen('dbus_service_name'),
    {
      name: 'script_user',
      run: (words) => {
        if (words.count < 2) config.wrong('No script username specified')
        else if (!setDefaultUser(config, words.at(1))) config.wrong('Error setting global script uid/gid')
      },
    },
    on('enable_script_security', () => {
      global.scriptSecurity = true
    }),
    ...[
      'vrrp_netlink_cmd',
      'vrrp_netlink_monitor',
      'process_monitor',
      'lvs_netlink_cmd',
      'lvs_netlink_monitor',
    ].flatMap((name) => [unseen(`${name}_rcv_bufs`), unseen(`${name}_rcv_bufs_force`)]),
    flag(
      'rs_init_notifies',
      () => 'Invalid value for rs_init_notifies specified',
      (value) => {
        global.rsInitNotifies = value
      },
    ),
    flag(
      'no_checker_emails',
      () => 'Invalid value for no_checker_emails specified',
      (value) => {
        global.noCheckerEmails = value
      },
    ),
    unseen('vrrp_rx_bufs_policy'),
    unseen('vrrp_rx_bufs_multiplier'),
    {
      name: 'vrrp_startup_delay',
      run: (words) => {
        const read = config.seconds(words, 1, 1000, UINT_MAX, true)
        if (read === undefined) config.wrong(`vrrp_startup_delay '${words.at(1)}' is invalid`)
        else global.startupDelayUs = read
        if (global.startupDelayUs >= 60 * SECOND_US)
          config.log.info(`The vrrp_startup_delay is very large - ${words.at(1)} seconds`)
      },
    },
    on('log_unknown_vrids', () => {
      global.logUnknownVrids = true
    }),
    unseen('vmac_prefix'),
    unseen('vmac_addr_prefix'),
    unseen('umask'),
    unseen('random_seed'),
    notModelled('reload_check_config'),
    notModelled('reload_time_file'),
    unseen('reload_repeat'),
    unseen('reload_file'),
    notModelled('include_check'),
    notModelled('config_save_dir'),
    unseen('tmp_config_directory'),
    unseen('data_use_instance'),
  ]
}

function interval(config: Configuration, name: string, set: (us: number) => void): Keyword {
  return {
    name,
    run: (words) => {
      const read = config.seconds(words, 1, 1, UINT_MAX, true)
      if (read === undefined) config.wrong(`${name} '${words.at(1)}' is invalid`)
      else {
        set(read)
        if (read >= SECOND_US) config.log.info(`The ${name} is very large - ${words.at(1)} seconds`)
      }
    },
  }
}

function minGarp(config: Configuration): Handler {
  const { global } = config
  return (words) => {
    const read = config.flag(words, () => 'Invalid value for vrrp_min_garp specified')
    if (!read) return
    // What was set to something else stays.
    if (global.garpRepeat === 5) global.garpRepeat = 1
    if (global.garpRefreshRepeat === 1) global.garpRefreshRepeat = 0
    if (global.garpDelayUs === 5 * SECOND_US) global.garpDelayUs = 0
  }
}

function mcastGroup4(config: Configuration): Handler {
  return (words) => {
    const text = words.at(1)
    const address = parseAddressOf(text)
    if (address === undefined) config.wrong(`Can't parse vrrp_mcast_group4 [${text}]. Skipping`)
    else if (typeof address !== 'number') config.wrong(`vrrp_mcast_group4 [${text}] is not IPv4. Skipping`)
    else if (!isMulticastIpv4(address)) config.wrong(`vrrp_mcast_group4 [${text}] is not multicast. Skipping`)
    else config.global.mcast4 = address
  }
}

function mcastGroup6(config: Configuration): Handler {
  return (words) => {
    const text = words.at(1)
    const address = parseIpv6(text)
    if (address === undefined && parseIpv4(text) === undefined)
      config.wrong(`Can't parse vrrp_mcast_group6 [${text}]. Skipping`)
    else if (address === undefined) config.wrong(`vrrp_mcast_group6 [${text}] is not IPv6. Skipping`)
    else if (!isMulticastIpv6(address)) config.wrong(`vrrp_mcast_group6 [${text}] is not multicast. Skipping`)
    else config.global.mcast6 = address
  }
}

function lvsTimeouts(config: Configuration): Handler {
  return (words) => {
    if (words.count < 3) {
      config.wrong('lvs_timeouts requires at least one option')
      return
    }
    const timeouts = config.global.lvsTimeouts ?? { tcp: 0, fin: 0, udp: 0 }
    const fields: Record<string, 'tcp' | 'fin' | 'udp'> = { tcp: 'tcp', tcpfin: 'fin', udp: 'udp' }
    for (let i = 1; i < words.count; i++) {
      const name = words.at(i)
      const field = fields[name]
      if (!field) config.wrong(`Unknown option ${name} specified for lvs_timeouts`)
      else if (i === words.count - 1) config.wrong(`No value specified for lvs_timeout ${name} - ignoring`)
      else {
        const read = config.unsigned(words, ++i, 0, LVS_MAX_TIMEOUT, false)
        if (read === undefined) config.wrong(`Invalid lvs_timeout ${name} (${words.at(i)}) - ignoring`)
        else timeouts[field] = read
      }
    }
    config.global.lvsTimeouts = timeouts
  }
}

function lvsSync(config: Configuration): Handler {
  const { global } = config
  return (words) => {
    if (global.lvsSync) {
      const { interface: name, instance } = global.lvsSync
      config.wrong(`lvs_sync_daemon has already been specified as ${name} ${instance ?? ''} - ignoring`)
      return
    }
    if (words.count < 2) {
      config.wrong('lvs_sync_daemon requires interface')
      return
    }
    if (words.at(1).length >= 16) {
      config.wrong(`lvs_sync_daemon interface name '${words.at(1)}' too long - ignoring`)
      return
    }
    const made: LvsSync = { interface: words.at(1) }
    global.lvsSync = made
    const numbers: Record<string, [least: number, most: number, field: 'id' | 'maxLength' | 'port' | 'ttl']> = {
      id: [0, 255, 'id'],
      maxlen: [1, 65_507, 'maxLength'],
      port: [1, 65_535, 'port'],
      ttl: [1, 255, 'ttl'],
    }
    for (let i = 2; i < words.count; i++) {
      const word = words.at(i)
      const number = numbers[word]
      if (word === 'inst') {
        if (made.instance !== undefined) {
          config.wrong(`lvs_sync_daemon vrrp instance has already been specified as ${made.instance} - ignoring`)
        } else made.instance = words.at(i + 1)
        i++
      } else if (number) {
        const [least, most, field] = number
        const otherwise = word === 'id' ? 'defaulting to vrid' : 'ignoring'
        if (i === words.count - 1) {
          config.wrong(`No value specified for lvs_sync_daemon ${word}${word === 'id' ? ', ' : ' - '}${otherwise}`)
          continue
        }
        const read = config.unsigned(words, ++i, least, most, false)
        if (read !== undefined) made[field] = read
        else if (word === 'id') config.wrong(`Invalid syncid (${words.at(i)}) - defaulting to vrid`)
        else config.wrong(`Invalid lvs_sync_daemon ${word} (${words.at(i)}) - ignoring`)
      } else if (word === 'group') {
        if (i === words.count - 1) {
          config.wrong('No value specified for lvs_sync_daemon group - ignoring')
          continue
        }
        const text = words.at(++i)
        const address = parseAddressOf(text)
        if (address === undefined) config.wrong(`Invalid lvs_sync_daemon group (${text}) - ignoring`)
        else if (typeof address === 'number' ? !isMulticastIpv4(address) : !isMulticastIpv6(address)) {
          config.wrong(`lvs_sync_daemon group address ${text} is not multicast - ignoring`)
        } else made.group = address
      } else if (i === 2) made.instance = word
      else if (i === 3) {
        const read = config.unsigned(words, 3, 0, 255, false)
        if (read === undefined) config.wrong(`Invalid syncid (${word}) - defaulting to vrid`)
        else {
          config.wrong('Please use keyword "id" before lvs_sync_daemon SYNCID')
          made.id = read
        }
      } else config.wrong(`Unknown option ${word} specified for lvs_sync_daemon`)
    }
  }
}
