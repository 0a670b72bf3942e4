/**
 * Cases whose commands are the real kernel's to the letter while some of their packets are not, each with the reason. What is
 * listed is held to its lines only. The list can only shrink.
 */
const TIME =
  'programs and processes take time there: data, its acknowledgement and the end cross in another order, or an ARP probe comes in between'

const HEARTBEAT =
  'messages carry a UUID of chance, the load and their time; which turn of the loop takes one up depends on some ten milliseconds'

const LDIRECTORD =
  'Perl takes its time to load, and each call of ipvsadm takes some: checks fall at other moments, and more or fewer of them within a command'

export const DEPARTURES: Readonly<Record<string, string>> = {
  'bridge/stp-failover.md': 'hellos of the spanning tree fall where the commands are, and those take time there',
  'bridge/stp-loop.md': 'hellos of the spanning tree fall where the commands are, and those take time there',
  'conntrack/dnat-loop.md': TIME,
  'conntrack/dnat.md': TIME,
  'conntrack/icmp-error.md': TIME,
  'conntrack/port-clash.md': TIME,
  'conntrack/redirect.md': TIME,
  'conntrack/snat-addresses.md': TIME,
  'conntrack/tcp-reset-forged.md': TIME,
  'conntrack/tcp-reuse.md': TIME,
  'dns/dig.md': 'the number of a query over TCP is of chance, and not masked',
  'dns/nothing.md': 'the server is on another port than 53, where the number of a query is not masked',
  'heartbeat/cl-status.md': HEARTBEAT,
  'heartbeat/failback-off.md': HEARTBEAT,
  'heartbeat/failback-on.md': HEARTBEAT,
  'heartbeat/hb-takeover.md': HEARTBEAT,
  'heartbeat/ipaddr.md': HEARTBEAT,
  'heartbeat/ipaddr2.md': HEARTBEAT,
  'heartbeat/mcast.md': HEARTBEAT,
  'heartbeat/ping-node.md': HEARTBEAT,
  'heartbeat/shutdown.md': HEARTBEAT,
  'heartbeat/split-brain.md': HEARTBEAT,
  'heartbeat/standby.md': HEARTBEAT,
  'heartbeat/start.md': HEARTBEAT,
  'heartbeat/takeover.md': HEARTBEAT,
  'hping/tcp-fields.md': TIME,
  'hping/tcp.md': TIME,
  'http/curl-errors.md': TIME,
  'http/curl-requests.md': TIME,
  'http/nginx-locations.md': TIME,
  'http/python-requests.md': TIME,
  'iperf/bytes.md':
    'the payload is of chance; when what was read is acknowledged depends on the time that programs take',
  'iperf/udp.md': 'the payload is of chance, and stamped with the time',
  'ldirectord/cleanstop.md': LDIRECTORD,
  'ldirectord/combined.md': LDIRECTORD,
  'ldirectord/connect.md': LDIRECTORD,
  'ldirectord/dns.md': LDIRECTORD,
  'ldirectord/fallbackcommand.md': LDIRECTORD,
  'ldirectord/fork.md': LDIRECTORD,
  'ldirectord/fwmark.md': LDIRECTORD,
  'ldirectord/http.md': LDIRECTORD,
  'ldirectord/monitorfile.md': LDIRECTORD,
  'ldirectord/quiescent.md': LDIRECTORD,
  'ldirectord/readd.md': LDIRECTORD,
  'ldirectord/simpletcp.md': LDIRECTORD,
  'link/bond-arp.md': 'the monitor probes once more while the commands take their time',
  'link/bond-release.md': 'the monitor probes once more while the commands take their time',
  'link/vlan-in-vlan.md': 'identifiers of ICMP behind two tags are not masked',
  'netcat/bulk.md': TIME,
  'netcat/udp-scan.md': TIME,
  'qdisc/tcp-slow-card.md':
    'the order of acknowledgements and data in a full queue depends on the time that programs take',
  'ss/established.md': 'memory and measurements that depend on the time that programs take',
  'ss/queues.md': 'a bulk of data: when what was read is acknowledged depends on the time that programs take',
  'hping/fragments.md': TIME,
  'multicast/query.md': 'when a host answers a query, and so in which order, is of chance',
  'multicast/refused.md': TIME,
  'traceroute/marks.md':
    'the order of probes and of their answers, and which the limit of errors lets through, depends on the time that programs take',
  'traceroute/mtr.md': 'the order of probes and of their answers depends on the time that programs take',
  'traceroute/tracepath.md': 'ports of probes and which error comes first depend on the time that programs take',
  'traceroute/tracepath-marks.md': 'ports of probes and which error comes first depend on the time that programs take',
  'ipvs/persistence-quiescent.md': TIME,
  'ipvs/persistence-schedulers.md': TIME,
  'ipvs/scheduler-change.md': TIME,
  'ipvs/scheduler-dh.md': TIME,
  'ipvs/scheduler-fo.md': TIME,
  'ipvs/scheduler-ipv6.md': TIME,
  'ipvs/scheduler-lblc.md': TIME,
  'ipvs/scheduler-lblcr.md': TIME,
  'ipvs/scheduler-lc.md': TIME,
  'ipvs/scheduler-mh-flags.md': TIME,
  'ipvs/scheduler-mh.md': TIME,
  'ipvs/scheduler-nq.md': TIME,
  'ipvs/scheduler-ovf.md': TIME,
  'ipvs/scheduler-rr.md': TIME,
  'ipvs/scheduler-sed.md': TIME,
  'ipvs/scheduler-sh-flags.md': TIME,
  'ipvs/scheduler-sh.md': TIME,
  'ipvs/scheduler-wlc.md': TIME,
  'ipvs/scheduler-wrr.md': TIME,
  'ipvs/reuse-mode.md':
    'a port comes again with sequence numbers of chance, which are held to those of its first connection',
}
