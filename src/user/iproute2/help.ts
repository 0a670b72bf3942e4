/** What `ip OBJECT help` says: the tool's form, and of its words those that stand for something here. */

export const ipHelp = `Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
       ip [ -force ] -batch FILE
where  OBJECT := { address | link | maddress | neighbour | route | rule | help }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -r[esolve] |
                    -h[uman-readable] | -iec | -j[son] | -p[retty] |
                    -f[amily] { inet | inet6 | link } | -4 | -6 | -0 |
                    -l[oops] COUNT | -br[ief] | -o[neline] | -N[umeric] |
                    -t[imestamp] | -ts[hort] | -b[atch] FILE | -c[olor] }
`

export const addressHelp = `Usage: ip address { add | change | replace } IFADDR dev IFNAME [ LIFETIME ] [ FLAG ]...
       ip address del IFADDR dev IFNAME
       ip address flush [ dev IFNAME ] [ scope SCOPE ] [ to PREFIX ] [ label LABEL ] [ up ] [ FLAG ]...
       ip address [ show [ dev IFNAME ] [ scope SCOPE ] [ to PREFIX ] [ label LABEL ]
                         [ master DEVICE ] [ nomaster ] [ type TYPE ] [ up ] [ FLAG ]... ]
IFADDR := PREFIX | ADDR peer PREFIX
          [ broadcast { ADDR | + | - } ] [ label IFNAME ] [ scope SCOPE ] [ metric METRIC ]
SCOPE := [ host | link | global | NUMBER ]
FLAG := [ permanent | dynamic | secondary | primary | noprefixroute | autojoin ]
LIFETIME := [ valid_lft LFT ] [ preferred_lft LFT ]
LFT := { forever | SECONDS }
`

export const linkHelp = `Usage: ip link add [ link DEV ] [ name ] NAME [ address LLADDR ] [ broadcast LLADDR ]
                   [ mtu MTU ] [ txqueuelen PACKETS ] type TYPE [ ARGS ]
       ip link delete { DEVICE | dev DEVICE } [ type TYPE ]
       ip link set { DEVICE | dev DEVICE } [ { up | down } ]
                   [ arp { on | off } ] [ multicast { on | off } ] [ allmulticast { on | off } ]
                   [ promisc { on | off } ] [ trailers { on | off } ] [ dynamic { on | off } ]
                   [ carrier { on | off } ] [ txqueuelen PACKETS ] [ name NEWNAME ] [ mtu MTU ]
                   [ address LLADDR ] [ broadcast LLADDR ] [ alias NAME ] [ group GROUP ]
                   [ master DEVICE ] [ nomaster ]
       ip link show [ DEVICE | group GROUP ] [ up ] [ master DEV ] [ nomaster ] [ type TYPE ]
`

export const routeHelp = `Usage: ip route { list | flush } SELECTOR
       ip route get ADDRESS [ from ADDRESS iif DEV ] [ oif DEV ] [ tos TOS ] [ mark NUMBER ]
                            [ uid NUMBER ] [ ipproto PROTOCOL ] [ sport NUMBER ] [ dport NUMBER ]
                            [ fibmatch ] [ connected ]
       ip route { add | del | change | append | prepend | replace } ROUTE
SELECTOR := [ root PREFIX ] [ match PREFIX ] [ exact PREFIX ] [ table TABLE ] [ proto PROTO ]
            [ type TYPE ] [ scope SCOPE ] [ dev DEV ] [ via PREFIX ] [ src PREFIX ]
            [ metric METRIC ] [ tos TOS ]
ROUTE := [ TYPE ] PREFIX [ tos TOS ] [ table TABLE ] [ proto PROTO ] [ scope SCOPE ]
         [ metric METRIC ] [ src ADDRESS ] NH [ METRICS ] [ nexthop NH ]...
NH := [ via [ inet ] ADDRESS ] [ dev DEV ] [ weight NUMBER ] [ onlink ]
METRICS := [ mtu NUMBER ] [ advmss NUMBER ] [ rtt TIME ] [ rttvar TIME ] [ reordering NUMBER ]
           [ window NUMBER ] [ cwnd NUMBER ] [ initcwnd NUMBER ] [ initrwnd NUMBER ]
           [ ssthresh NUMBER ] [ rto_min TIME ] [ hoplimit NUMBER ] [ features ecn ]
           [ quickack BOOL ]
TYPE := { unicast | local | broadcast | multicast | throw | unreachable | prohibit | blackhole }
TABLE := [ local | main | default | all | NUMBER ]
SCOPE := [ host | link | global | NUMBER ]
PROTO := [ kernel | boot | static | NUMBER ]
TIME := NUMBER[s|ms]
`

export const ruleHelp = `Usage: ip rule { add | del } SELECTOR ACTION
       ip rule flush [ SELECTOR ]
       ip rule [ list [ SELECTOR ] ]
SELECTOR := [ not ] [ from PREFIX ] [ to PREFIX ] [ tos TOS ] [ fwmark FWMARK[/MASK] ]
            [ iif DEV ] [ oif DEV ] [ pref NUMBER ] [ uidrange NUMBER-NUMBER ]
            [ ipproto PROTOCOL ] [ sport NUMBER[-NUMBER] ] [ dport NUMBER[-NUMBER] ]
ACTION := [ table TABLE ] [ protocol PROTO ] [ goto NUMBER ] [ suppress_prefixlength NUMBER ]
          [ blackhole | unreachable | prohibit | nop ]
TABLE := [ local | main | default | NUMBER ]
`

export const neighbourHelp = `Usage: ip neigh { add | del | change | replace }
                { ADDR [ lladdr LLADDR ] [ nud STATE ] | proxy ADDR } [ dev DEV ]
                [ router ] [ use ] [ extern_learn ] [ protocol PROTO ]
       ip neigh { show | flush } [ proxy ] [ to PREFIX ] [ dev DEV ] [ nud STATE ] [ unused ]
       ip neigh get { ADDR | proxy ADDR } dev DEV
STATE := { delay | failed | incomplete | noarp | none | permanent | probe | reachable | stale }
`

export const maddressHelp = `Usage: ip maddr [ add | del ] MULTIADDR dev STRING
       ip maddr show [ dev STRING ]
`
