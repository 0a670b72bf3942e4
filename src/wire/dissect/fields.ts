/**
 * The fields that a filter can name: Wireshark's names, what kind of value each has, and what it is called. As
 * `tshark -G fields` of 4.0.17 lists those that are dissected here.
 */

export type FieldKind =
  | 'number'
  | 'boolean'
  | 'string'
  | 'protocol'
  | 'bytes'
  | 'seconds'
  | 'date'
  | 'ipv4'
  | 'ipv6'
  | 'mac'
  | 'none'

export interface FieldInfo {
  name: string
  kind: FieldKind
  label: string
}

/** By kind, `NAME|LABEL` a line. */
const TABLE: Readonly<Record<FieldKind, string>> = {
  protocol: `
arp|Address Resolution Protocol
data|Data
data-text-lines|Line-based text data
dns|Domain Name System
eth|Ethernet
frame|Frame
gre|Generic Routing Encapsulation
http|Hypertext Transfer Protocol
icmp|Internet Control Message Protocol
icmpv6|Internet Control Message Protocol v6
ieee8021ad|IEEE 802.1ad
igmp|Internet Group Management Protocol
ip|Internet Protocol Version 4
ip.options.nop|IP Option - No-Operation (NOP)
ip.options.routeralert|IP Option - Router Alert
ipv6|Internet Protocol Version 6
ipv6.dstopts|Destination Options for IPv6
ipv6.fraghdr|Fragment Header for IPv6
ipv6.hopopts|IPv6 Hop-by-Hop Option
ipv6.routing|Routing Header for IPv6
llc|Logical-Link Control
mdns|Multicast Domain Name System
media|Media Type
stp|Spanning Tree Protocol
tcp|Transmission Control Protocol
tcp.options.eol|TCP Option - End of Option List (EOL)
tcp.options.mss|TCP Option - Maximum segment size
tcp.options.nop|TCP Option - No-Operation (NOP)
tcp.options.sack|TCP Option - SACK
tcp.options.sack_perm|TCP Option - SACK permitted
tcp.options.timestamp|TCP Option - Timestamps
tcp.options.unknown|TCP Option - Unknown
tcp.options.wscale|TCP Option - Window scale
udp|User Datagram Protocol
vlan|802.1Q Virtual LAN
vrrp|Virtual Router Redundancy Protocol
vxlan|Virtual eXtensible Local Area Network
`,
  number: `
arp.hw.size|Hardware size
arp.hw.type|Hardware type
arp.opcode|Opcode
arp.proto.size|Protocol size
arp.proto.type|Protocol type
data.len|Length
dns.count.add_rr|Additional RRs
dns.count.answers|Answer RRs
dns.count.auth_rr|Authority RRs
dns.count.labels|Label Count
dns.count.queries|Questions
dns.flags|Flags
dns.flags.opcode|Opcode
dns.flags.rcode|Reply code
dns.id|Transaction ID
dns.length|Length
dns.mx.preference|Preference
dns.qry.class|Class
dns.qry.name.len|Name Length
dns.qry.type|Type
dns.resp.class|Class
dns.resp.edns0_version|EDNS0 version
dns.resp.ext_rcode|Higher bits in extended RCODE
dns.resp.len|Data length
dns.resp.ttl|Time to live
dns.resp.type|Type
dns.resp.z|Z
dns.response_to|Request In
dns.rr.udp_payload_size|UDP payload size
dns.txt.length|TXT Length
eth.len|Length
eth.type|Type
frame.cap_len|Frame length stored into the capture file
frame.encap_type|Encapsulation type
frame.interface_id|Interface id
frame.len|Frame length on the wire
frame.number|Frame Number
gre.checksum|Checksum
gre.flags.recursion_control|Recursion control
gre.flags.reserved|Flags (Reserved)
gre.flags.version|Version
gre.flags_and_version|Flags and Version
gre.key|Key
gre.proto|Protocol Type
gre.sequence_number|Sequence Number
http.content_length|Content length
http.request_in|Request in frame
http.request_number|Request number
http.response.code|Status Code
http.response_number|Response number
icmp.checksum|Checksum
icmp.checksum.status|Checksum Status
icmp.code|Code
icmp.ident|Identifier (BE)
icmp.ident_le|Identifier (LE)
icmp.mtu|MTU of next hop
icmp.pointer|Pointer
icmp.resp_to|Request frame
icmp.seq|Sequence Number (BE)
icmp.seq_le|Sequence Number (LE)
icmp.type|Type
icmpv6.checksum|Checksum
icmpv6.checksum.status|Checksum Status
icmpv6.code|Code
icmpv6.echo.identifier|Identifier
icmpv6.echo.sequence_number|Sequence
icmpv6.mld.maximum_response_delay|Maximum Response Delay [ms]
icmpv6.mldr.mar.aux_data_len|Aux Data Len
icmpv6.mldr.mar.nb_sources|Number of Sources
icmpv6.mldr.mar.record_type|Record Type
icmpv6.mldr.nb_mcast_records|Number of Multicast Address Records
icmpv6.mtu|MTU
icmpv6.nd.na.flag|Flags
icmpv6.nd.na.flag.rsv|Reserved
icmpv6.nd.ra.cur_hop_limit|Cur hop limit
icmpv6.nd.ra.flag|Flags
icmpv6.nd.ra.reachable_time|Reachable time (ms)
icmpv6.nd.ra.retrans_timer|Retrans timer (ms)
icmpv6.nd.ra.router_lifetime|Router lifetime (s)
icmpv6.opt.length|Length
icmpv6.opt.mtu|MTU
icmpv6.opt.prefix.flag|Flag
icmpv6.opt.prefix.length|Prefix Length
icmpv6.opt.prefix.preferred_lifetime|Preferred Lifetime
icmpv6.opt.prefix.valid_lifetime|Valid Lifetime
icmpv6.opt.type|Type
icmpv6.pointer|Pointer
icmpv6.resp_to|Response To
icmpv6.type|Type
ieee8021ad.dei|DEI
ieee8021ad.id|ID
ieee8021ad.priority|Priority
igmp.aux_data_len|Aux Data Len
igmp.checksum|Checksum
igmp.checksum.status|Checksum Status
igmp.max_resp|Max Resp Time
igmp.num_grp_recs|Num Group Records
igmp.num_src|Num Src
igmp.record_type|Record Type
igmp.type|Type
igmp.version|IGMP Version
ip.checksum|Header Checksum
ip.checksum.status|Header checksum status
ip.dsfield|Differentiated Services Field
ip.dsfield.dscp|Differentiated Services Codepoint
ip.dsfield.ecn|Explicit Congestion Notification
ip.flags|Flags
ip.frag_offset|Fragment Offset
ip.fragment|IPv4 Fragment
ip.fragment.count|Fragment count
ip.hdr_len|Header Length
ip.id|Identification
ip.len|Total Length
ip.opt.len|Length
ip.opt.ra|Router Alert
ip.opt.type|Type
ip.opt.type.class|Class
ip.opt.type.number|Number
ip.proto|Protocol
ip.reassembled.length|Reassembled IPv4 length
ip.ttl|Time to Live
ip.version|Version
ipv6.dstopts.len|Length
ipv6.dstopts.len_oct|Length
ipv6.dstopts.nxt|Next Header
ipv6.flow|Flow Label
ipv6.fraghdr.ident|Identification
ipv6.fraghdr.nxt|Next header
ipv6.fraghdr.offset|Offset
ipv6.fraghdr.reserved_octet|Reserved octet
ipv6.hlim|Hop Limit
ipv6.hopopts.len|Length
ipv6.hopopts.len_oct|Length
ipv6.hopopts.nxt|Next Header
ipv6.nxt|Next Header
ipv6.opt.length|Length
ipv6.opt.router_alert|Router Alert
ipv6.opt.type|Type
ipv6.opt.type.action|Action
ipv6.opt.type.rest|Low-Order Bits
ipv6.plen|Payload Length
ipv6.routing.len|Length
ipv6.routing.len_oct|Length
ipv6.routing.nxt|Next Header
ipv6.routing.segleft|Segments Left
ipv6.routing.type|Type
ipv6.tclass|Traffic Class
ipv6.tclass.dscp|Differentiated Services Codepoint
ipv6.tclass.ecn|Explicit Congestion Notification
ipv6.version|Version
llc.control|Control
llc.dsap|DSAP
llc.ssap|SSAP
stp.bridge.ext|Bridge System ID Extension
stp.bridge.prio|Bridge Priority
stp.flags|BPDU flags
stp.port|Port identifier
stp.protocol|Protocol Identifier
stp.root.cost|Root Path Cost
stp.root.ext|Root Bridge System ID Extension
stp.root.prio|Root Bridge Priority
stp.type|BPDU Type
stp.version|Protocol Version Identifier
tcp.ack|Acknowledgment Number
tcp.ack_raw|Acknowledgment number (raw)
tcp.analysis.acks_frame|This is an ACK to the segment in frame
tcp.analysis.bytes_in_flight|Bytes in flight
tcp.analysis.duplicate_ack_num|Duplicate ACK #
tcp.analysis.push_bytes_sent|Bytes sent since last PSH flag
tcp.checksum|Checksum
tcp.checksum.status|Checksum Status
tcp.completeness|Conversation completeness
tcp.dstport|Destination Port
tcp.flags|Flags
tcp.hdr_len|Header Length
tcp.len|TCP Segment Len
tcp.nxtseq|Next Sequence Number
tcp.option_kind|Kind
tcp.option_len|Length
tcp.options.mss_val|MSS Value
tcp.options.sack.count|TCP SACK Count
tcp.options.sack_le|TCP SACK Left Edge
tcp.options.sack_re|TCP SACK Right Edge
tcp.options.timestamp.tsecr|Timestamp echo reply
tcp.options.timestamp.tsval|Timestamp value
tcp.options.wscale.multiplier|Multiplier
tcp.options.wscale.shift|Shift count
tcp.pdu.size|PDU Size
tcp.port|Source or Destination Port
tcp.reassembled.length|Reassembled TCP length
tcp.segment|TCP Segment
tcp.segment.count|Segment count
tcp.seq|Sequence Number
tcp.seq_raw|Sequence Number (raw)
tcp.srcport|Source Port
tcp.stream|Stream index
tcp.urgent_pointer|Urgent Pointer
tcp.window_size|Calculated window size
tcp.window_size_scalefactor|Window size scaling factor
tcp.window_size_value|Window
udp.checksum|Checksum
udp.checksum.status|Checksum Status
udp.dstport|Destination Port
udp.length|Length
udp.port|Source or Destination Port
udp.srcport|Source Port
udp.stream|Stream index
vlan.etype|Type
vlan.id|ID
vlan.len|Length
vlan.priority|Priority
vrrp.addr_count|Addr Count
vrrp.adver_int|Adver Int
vrrp.auth_type|Auth Type
vrrp.checksum|Checksum
vrrp.checksum.status|Checksum Status
vrrp.prio|Priority
vrrp.short_adver_int|Adver Int
vrrp.type|VRRP packet type
vrrp.typever|VRRP message version and type
vrrp.version|VRRP protocol version
vrrp.virt_rtr_id|Virtual Rtr ID
vxlan.flags|Flags
vxlan.gbp|Group Policy ID
vxlan.reserved8|Reserved
vxlan.vni|VXLAN Network Identifier (VNI)
`,
  boolean: `
arp.isannouncement|Is announcement
arp.isgratuitous|Is gratuitous
arp.isprobe|Is probe
dns.flags.authenticated|Answer authenticated
dns.flags.authoritative|Authoritative
dns.flags.checkdisable|Non-authenticated data
dns.flags.recavail|Recursion available
dns.flags.recdesired|Recursion desired
dns.flags.response|Response
dns.flags.truncated|Truncated
dns.flags.z|Z
dns.resp.z.do|DO bit
eth.dst.ig|IG bit
eth.dst.lg|LG bit
eth.ig|IG bit
eth.lg|LG bit
eth.src.ig|IG bit
eth.src.lg|LG bit
gre.flags.checksum|Checksum Bit
gre.flags.key|Key Bit
gre.flags.routing|Routing Bit
gre.flags.sequence_number|Sequence Number Bit
gre.flags.strict_source_route|Strict Source Route Bit
http.request|Request
http.response|Response
icmpv6.nd.na.flag.o|Override
icmpv6.nd.na.flag.r|Router
icmpv6.nd.na.flag.s|Solicited
icmpv6.nd.ra.flag.m|Managed address configuration
icmpv6.nd.ra.flag.o|Other configuration
ip.flags.df|Don't fragment
ip.flags.mf|More fragments
ip.flags.rb|Reserved bit
ip.opt.type.copy|Copy on fragmentation
ipv6.fraghdr.more|More Fragments
ipv6.opt.type.change|May Change
stp.flags.tc|Topology Change
stp.flags.tcack|Topology Change Acknowledgment
tcp.flags.ack|Acknowledgment
tcp.flags.ae|Accurate ECN
tcp.flags.cwr|Congestion Window Reduced
tcp.flags.ece|ECN-Echo
tcp.flags.fin|Fin
tcp.flags.push|Push
tcp.flags.res|Reserved
tcp.flags.reset|Reset
tcp.flags.syn|Syn
tcp.flags.urg|Urgent
vlan.dei|DEI
vxlan.flag_a|Policy Applied
vxlan.flag_d|Don't Learn
vxlan.flag_g|GBP Extension
vxlan.flag_i|VXLAN Network ID (VNI)
`,
  string: `
dns.cname|CNAME
dns.mx.mail_exchange|Mail Exchange
dns.ns|Name Server
dns.ptr.domain_name|Domain Name
dns.qry.name|Name
dns.resp.name|Name
dns.soa.mname|Primary name server
dns.txt|TXT
frame.interface_name|Interface name
frame.protocols|Protocols in frame
http.accept|Accept
http.accept_encoding|Accept Encoding
http.accept_language|Accept-Language
http.authorization|Authorization
http.cache_control|Cache-Control
http.connection|Connection
http.content_encoding|Content-Encoding
http.content_length_header|Content-Length
http.content_type|Content-Type
http.cookie|Cookie
http.date|Date
http.file_data|File Data
http.host|Host
http.last_modified|Last-Modified
http.location|Location
http.referer|Referer
http.request.full_uri|Full request URI
http.request.line|Request line
http.request.method|Request Method
http.request.uri|Request URI
http.request.version|Request Version
http.response.code.desc|Status Code Description
http.response.line|Response line
http.response.phrase|Response Phrase
http.response.version|Response Version
http.response_for.uri|Request URI
http.server|Server
http.set_cookie|Set-Cookie
http.transfer_encoding|Transfer-Encoding
http.unknown_header|Unknown header
http.upgrade|Upgrade
http.user_agent|User-Agent
http.www_authenticate|WWW-Authenticate
http.x_forwarded_for|X-Forwarded-For
ip.dst_host|Destination Host
ip.host|Source or Destination Host
ip.src_host|Source Host
ipv6.dst_host|Destination Host
ipv6.host|Source or Destination Host
ipv6.src_host|Source Host
tcp.flags.str|TCP Flags
`,
  bytes: `
data.data|Data
eth.padding|Padding
eth.trailer|Trailer
icmp.unused|Unused
icmpv6.opt.linkaddr|Link-layer address
icmpv6.opt.nonce|Nonce
icmpv6.opt.src_linkaddr|Source Link-layer address
icmpv6.opt.target_linkaddr|Target Link-layer address
icmpv6.reserved|Reserved
igmp.reserved|Reserved
ip.fragments|IPv4 Fragments
ipv6.opt.padn|PadN
media.type|Media type
tcp.options|TCP Options
tcp.payload|TCP payload
tcp.segment_data|TCP segment data
udp.payload|Payload
`,
  seconds: `
dns.time|Time
frame.time_delta|Time delta from previous captured frame
frame.time_epoch|Epoch Time
frame.time_relative|Time since reference or first frame
http.time|Time since request
icmp.data_time_relative|Timestamp from icmp data (relative)
icmp.resptime|Response time
icmpv6.resptime|Response Time
stp.forward|Forward Delay
stp.hello|Hello Time
stp.max_age|Max Age
stp.msg_age|Message Age
tcp.analysis.ack_rtt|The RTT to ACK the segment was
tcp.analysis.initial_rtt|iRTT
tcp.time_delta|Time since previous frame in this TCP stream
tcp.time_relative|Time since first frame in this TCP stream
udp.time_delta|Time since previous frame
udp.time_relative|Time since first frame
`,
  date: `
frame.time|Arrival Time
icmp.data_time|Timestamp from icmp data
`,
  ipv4: `
arp.dst.proto_ipv4|Target IP address
arp.src.proto_ipv4|Sender IP address
dns.a|Address
icmp.redir_gw|Gateway Address
igmp.maddr|Multicast Address
igmp.saddr|Source Address
ip.addr|Source or Destination Address
ip.dst|Destination Address
ip.src|Source Address
vrrp.ip_addr|IP Address
`,
  ipv6: `
dns.aaaa|AAAA Address
icmpv6.mld.multicast_address|Multicast Address
icmpv6.mldr.mar.multicast_address|Multicast Address
icmpv6.mldr.mar.source_address|Source Address
icmpv6.nd.na.target_address|Target Address
icmpv6.nd.ns.target_address|Target Address
icmpv6.opt.prefix|Prefix
ipv6.addr|Source or Destination Address
ipv6.dst|Destination Address
ipv6.src|Source Address
`,
  mac: `
arp.dst.hw_mac|Target MAC address
arp.src.hw_mac|Sender MAC address
eth.addr|Address
eth.dst|Destination
eth.src|Source
stp.bridge.hw|Bridge System ID
stp.root.hw|Root Bridge System ID
`,
  none: `
icmpv6.mldr.mar|Multicast Address Record
icmpv6.opt|ICMPv6 Option
ipv6.opt|IPv6 Option
tcp.analysis|SEQ/ACK analysis
tcp.analysis.ack_lost_segment|ACKed segment that wasn't captured (common at capture start)
tcp.analysis.duplicate_ack|Duplicate ACK
tcp.analysis.fast_retransmission|This frame is a (suspected) fast retransmission
tcp.analysis.flags|TCP Analysis Flags
tcp.analysis.keep_alive|TCP keep-alive segment
tcp.analysis.lost_segment|Previous segment(s) not captured (common at capture start)
tcp.analysis.out_of_order|This frame is a (suspected) out-of-order segment
tcp.analysis.retransmission|This frame is a (suspected) retransmission
tcp.analysis.spurious_retransmission|This frame is a (suspected) spurious retransmission
tcp.analysis.window_update|TCP window update
tcp.analysis.zero_window|TCP Zero Window segment
tcp.segments|Reassembled TCP Segments
`,
}

/** By name. */
export const FIELDS: ReadonlyMap<string, FieldInfo> = new Map(
  (Object.entries(TABLE) as [FieldKind, string][]).flatMap(([kind, lines]) =>
    lines
      .trim()
      .split('\n')
      .map((line): [string, FieldInfo] => {
        const [name, label] = line.split('|') as [string, string]
        return [name, { name, kind, label }]
      }),
  ),
)
