/** Filters that tshark was asked too: common ones, and the corners of the language. */
export const FILTERS = String.raw`
arp
!arp
icmp
udp
tcp
dns
http
vlan
gre
vxlan
ipv6
icmpv6
ip.addr == 10.0.0.1
ip.addr != 10.0.0.1
!(ip.addr == 10.0.0.1)
ip.addr ~= 10.0.0.1
ip.addr === 10.0.0.1
ip.addr !== 10.0.0.1
ip.src == 10.0.0.2
ip.src eq 10.0.0.2
ip.src ne 10.0.0.2
ip.src == ip.dst
ip.src == 10.0.1.0/24
ip.addr in {10.0.1.0/24, 10.0.0.254}
ip.src in {10.0.0.2 .. 10.0.0.254}
ip.src & 255.255.255.0 == 10.0.1.0
any ip.addr == 10.0.1.1
all ip.addr > 10.0.0.1
ip.addr#2 == 10.0.1.1
ip.ttl < 5
ip.ttl == 64
ip.ttl <= 63 and not icmp
ip.len % 2 == 1
ip.flags.df == 1
ip.flags.mf == 1 || ip.frag_offset > 0
ip.fragments
ip.id == 0x7d94
ip.proto == 6
ip.proto == "TCP"
ip.dsfield.dscp == 48
ip.checksum.status == 2
ip.version == 4
ip.hdr_len == 20
ip[8] == 1
ip[8:1] == 01
ip.src[3] == 01
eth.addr == 02:00:00:00:01:00
eth.addr == ff-ff-ff-ff-ff-ff
eth.dst == ff:ff:ff:ff:ff:ff
eth.src[0:3] == 02:00:00
eth.src[-3:3] == 00:02:00
eth.src[1-2] == 00:00
eth.src[:4] == 02:00:00:00
eth.src[4:] == 01:00
eth.src[0:1,5] == 02:00
eth.type == 0x806
eth.ig == 1
eth.dst.ig == 1
vlan.id == 7
vlan.priority == 0
vlan.id in {1..10}
arp.opcode == 1
arp.opcode == 2
arp.opcode == "request"
arp.src.proto_ipv4 == 10.0.0.1
arp.dst.proto_ipv4 == 10.0.0.2
arp.src.hw_mac == 02:00:00:00:02:00
arp.isgratuitous
arp.isgratuitous == 1
icmp.type == 8
icmp.type == 8 and icmp.seq == 2
icmp.type == 0 || icmp.type == 8
icmp.type in {3, 11}
icmp.code == 3
icmp.resp_to
icmp.resp_to == 5
icmp.resptime > 1
icmp.ident == 49717
icmpv6.type == 135
icmpv6.type == 136 && icmpv6.nd.na.flag.s == 1
icmpv6.nd.ns.target_address == fd00::2
icmpv6.opt.linkaddr == 02:00:00:00:01:00
ipv6.addr == fd00::1
ipv6.addr == fe80::/10
ipv6.dst == ff02::1:ff00:2
ipv6.src == ::
ipv6.hlim == 255
ipv6.nxt == 0
ipv6.plen > 30
tcp.port == 80
tcp.port==80
tcp.port === 80
tcp.port !== 80
tcp.port != 80
tcp.port eq 0x50
tcp.port in {80, 9000..9001}
tcp.srcport == 80
tcp.dstport == 9000
tcp.srcport > tcp.dstport
tcp.flags.syn
tcp.flags.syn == 1
tcp.flags.syn == True && tcp.flags.ack == 0
tcp.flags.syn == 1 and tcp.flags.ack == 1
tcp.flags.fin == 1
tcp.flags.reset == 1
tcp.flags.push == True
tcp.flags == 0x012
tcp.flags & 0x02
tcp.flags & 0x12 == 0x12
tcp.flags.str contains "S"
tcp.seq == 0
tcp.seq == 1 and tcp.ack == 1
tcp.ack > 100
tcp.len > 0
tcp.len - 12 == 0
tcp.len + 1 > 100
tcp.nxtseq == 73
tcp.stream == 2
tcp.stream eq 0 or tcp.stream eq 3
tcp.window_size > 64000
tcp.window_size_value == 502
tcp.window_size_scalefactor == 128
tcp.options.mss_val == 1460
tcp.options.wscale.shift == 7
tcp.options.timestamp.tsval > 0
tcp.options.sack_perm
tcp.payload contains "hello"
tcp.analysis.flags
tcp.analysis.acks_frame == 49
tcp.analysis.bytes_in_flight > 20
tcp.analysis.ack_rtt > 0.001
tcp.time_delta > 0.001
tcp.time_relative > 0.01
tcp.completeness == 31
tcp.segments
tcp.segment.count == 2
tcp contains "GET"
tcp contains 47:45:54
udp.port == 53
udp.dstport in {33434..33440}
udp.srcport == 53
udp.length == 40
udp.stream == 3
udp.payload == 58
udp[4:2] == 00:28
udp contains "hello"
dns.qry.name == "www.example.org"
dns.qry.name == www.example.org
dns.qry.name contains "alias"
dns.qry.name matches "^ALIAS"
dns.qry.type == 28
dns.qry.type == 1
dns.flags.response == 0
dns.flags.response == 1 && dns.a == 10.0.0.2
dns.flags.rcode != 0
dns.a == 10.0.0.0/8
dns.cname
dns.resp.name contains "www"
dns.count.answers >= 2
dns.time > 0
dns.response_to == 92
dns.id == 0x74b0
dns.length
len(dns.qry.name) == 17
upper(dns.qry.name) contains "ALIAS"
lower(http.request.method) == "get"
http.request
http.response
http.request and ip.src == 10.0.0.1
http.request.method == "GET"
http.request.method == GET
http.request.uri == "/none"
http.request.uri contains "non"
http.request.full_uri contains "10.0.1.1"
http.response.code == 200
http.response.code >= 400
http.response.code in {200, 404}
http.response.phrase == "OK"
http.host == 10.0.1.1
http.host == "10.0.1.1"
http.user_agent contains "curl"
http.user_agent matches "CURL"
http.user_agent matches "curl/[78]\.\d+"
http.content_type == "text/html"
http.content_length > 30
http.server contains "Python"
http.request_in == 73
http.time > 0.001
http.file_data contains "far away"
http contains "html"
http contains 'x'
data-text-lines
frame.number == 10
frame.number < 5
frame.number in {1..5, 7}
frame.number >= 160
frame.len > 1000
frame.len gt 1000 and frame.number lt 42
frame.cap_len == 42
frame.time_relative >= 1.5 && frame.time_relative < 1.7
frame.time_relative in {0..0.1}
frame.time_delta > 0.5
frame.time_epoch < 1767225602
frame.time >= "2026-01-01 00:00:05"
frame.protocols contains "gre"
frame contains "foo"
frame contains 47:45:54
frame contains "hello"
frame matches "hel+o"
frame[12:2] == 08:06
gre.proto == 0x86dd
gre && icmp
vxlan.vni == 42
vxlan && arp
count(ip.addr) > 2
count(eth.addr) == 4
max(ip.ttl) > 64
min(ip.ttl) == 1
string(ip.src) matches "^10\.0\.0"
string(ip.src) matches r"^10\.0\.0"
string(ip.src) matches "^10\\.0\\.0"
string(tcp.port) == "80"
ip.addr == 10.0.0.1/32 or arp and icmp
(ip.addr == 10.0.0.1/32 or arp) and icmp
not arp and not icmp and not ip
! ( arp or ip )
not (arp || icmp || udp || tcp)
!tcp && !udp && ip
tcp.port == 80 || tcp.port == 443 && ip.ttl == 63
((tcp.flags.syn == 1))
ip.addr==10.0.0.1&&udp
(tcp.len + 1) * 2 > 200
{tcp.len + 1} * 2 > 200
ip.src == foo
ip.src == localhost
ip.src == 10.0.0.1/33
ip.src == "10.0.0.1"
ip.src ==
nosuch.field
nosuch.field == 1
tcp.port == 80.5
tcp.port == abc
tcp.port in {80 443}
tcp.port in {}
tcp.flags.syn == true
10.0.0.1 == ip.src
(ip
ip)
ip.ttl == 64 &&
and arp
arp arp
arp and
"GET"
http contains
ip.ttl[0] == 1
eth.addr == 1:2:3:4:5:6:7
nosuch(ip.ttl) == 1
`
  .trim()
  .split('\n')
