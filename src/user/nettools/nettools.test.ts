/** arp, its relatives and ethtool on a small lab. What they print was printed by net-tools 2.10 and ethtool 6.1 for the same commands. */
import { beforeAll, expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { parseLab } from '#lab/plan'

const LAB = `
networks: { lan: {} }
hosts:
  client: { eth0: lan 10.0.0.1/24, gateway: 10.0.0.2 }
  web: { eth0: lan 10.0.0.2/24 }
`

let lab: SimLab
beforeAll(async () => {
  lab = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
  await lab.command('client', 'ping -c 1 web')
})

const HEADER = 'Address                  HWtype  HWaddress           Flags Mask            Iface\n'
const WEB = '10.0.0.2                 ether   02:00:00:00:02:00   C                     eth0\n'

// In this order: each sees what the ones before it did.
test.each([
  ['arp -n', HEADER + WEB, 0],
  ['arp', `${HEADER}web                      ether   02:00:00:00:02:00   C                     eth0\n`, 0],
  ['arp -a', 'web (10.0.0.2) at 02:00:00:00:02:00 [ether] on eth0\n', 0],
  ['arp -an', '? (10.0.0.2) at 02:00:00:00:02:00 [ether] on eth0\n', 0],
  ['arp 10.0.0.99', '10.0.0.99 (10.0.0.99) -- no entry\n', 0],
  ['arp -a 10.0.0.99', 'arp: in 1 entries no match found.\n', 0],
  ['arp nosuch', 'nosuch: Host name lookup failure\n', 255],
  ['arp -i foo', 'arp: in 1 entries no match found.\n', 0],
  ['arp -d 10.0.0.99', 'No ARP entry for 10.0.0.99\n', 255],
  ['arp -s 10.0.0.50 2:0:0:0:0:50', '', 0],
  ['arp -n 10.0.0.50', `${HEADER}10.0.0.50                ether   02:00:00:00:00:50   CM                    eth0\n`, 0],
  ['arp -a 10.0.0.50', '? (10.0.0.50) at 02:00:00:00:00:50 [ether] PERM on eth0\n', 0],
  ['arp -d 10.0.0.50', '', 0],
  ['arp -d 10.0.0.50', 'No ARP entry for 10.0.0.50\n', 255],
  ['arp -s 10.0.0.51 foo', 'arp: invalid hardware address\n', 255],
  ['arp -s 10.0.0.51', 'arp: need hardware address\n', 255],
  ['arp -s', 'arp: need host name\n', 255],
  ['arp -s 1.2.3.4 02:00:00:00:00:52', 'SIOCSARP: Network is unreachable\n', 255],
  ['arp -s 10.0.0.52 02:00:00:00:00:52 netmask 255.255.255.0', 'SIOCSARP: Invalid argument\n', 255],
  ['arp -i eth0 -Ds 10.0.0.62 eth0 pub', '', 0],
  [
    'arp -vn',
    `${HEADER}${WEB}10.0.0.62                *       <from_interface>    MP                    eth0\nEntries: 2\tSkipped: 0\tFound: 2\n`,
    0,
  ],
  ['arp -a 10.0.0.62', '? (10.0.0.62) at <from_interface> PERM PUB on eth0\n', 0],
  ['arp -i eth0 -d 10.0.0.62 pub', '', 0],
  [
    'route -n',
    `Kernel IP routing table
Destination     Gateway         Genmask         Flags Metric Ref    Use Iface
0.0.0.0         10.0.0.2        0.0.0.0         UG    0      0        0 eth0
10.0.0.0        0.0.0.0         255.255.255.0   U     0      0        0 eth0
`,
    0,
  ],
  [
    'netstat -r',
    `Kernel IP routing table
Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface
default         web             0.0.0.0         UG        0 0          0 eth0
10.0.0.0        0.0.0.0         255.255.255.0   U         0 0          0 eth0
`,
    0,
  ],
  [
    'ifconfig lo',
    `lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536
        inet 127.0.0.1  netmask 255.0.0.0
        loop  txqueuelen 1000  (Local Loopback)
        RX packets 0  bytes 0 (0.0 B)
        RX errors 0  dropped 0  overruns 0  frame 0
        TX packets 0  bytes 0 (0.0 B)
        TX errors 0  dropped 0 overruns 0  carrier 0  collisions 0

`,
    0,
  ],
  ['ifconfig nosuch', 'nosuch: error fetching interface information: Device not found\n', 1],
  ['ifconfig nosuch up', 'nosuch: ERROR while getting interface flags: No such device\n', 255],
  ['ifconfig eth0 mtu 10', 'SIOCSIFMTU: Invalid argument\n', 1],
  ['arp -H foo', 'arp: foo: unknown hardware type.\n', 255],
  ['arp -f /nonexist', 'arp: cannot open etherfile /nonexist !\n', 255],
  ['ethtool lo', 'Settings for lo:\n\tLink detected: yes\n', 0],
  ['ethtool -i lo', 'Cannot get driver information: Operation not supported\n', 71],
  ['ethtool -S lo', 'no stats available\n', 94],
  ['ethtool -S nosuch', 'Cannot get stats strings information: No such device\n', 96],
  ['ethtool -i nosuch', 'Cannot get driver information: No such device\n', 71],
  ['ethtool', 'ethtool: bad command line argument(s)\nFor more information run ethtool -h\n', 1],
  [
    'ethtool nosuch',
    `${'netlink error: no device matches name (offset 24)\nnetlink error: No such device\n'.repeat(5)}No data available\n`,
    75,
  ],
  [
    'ethtool -i eth0',
    `driver: tun
version: 1.6
firmware-version: 
expansion-rom-version: 
bus-info: tap
supports-statistics: no
supports-test: no
supports-eeprom-access: no
supports-register-dump: no
supports-priv-flags: no
`,
    0,
  ],
  [
    'ethtool eth0',
    `Settings for eth0:
	Supported ports: [  ]
	Supported link modes:   Not reported
	Supported pause frame use: No
	Supports auto-negotiation: No
	Supported FEC modes: Not reported
	Advertised link modes:  Not reported
	Advertised pause frame use: No
	Advertised auto-negotiation: No
	Advertised FEC modes: Not reported
	Speed: 1000Mb/s
	Duplex: Full
	Auto-negotiation: off
	Port: Twisted Pair
	PHYAD: 0
	Transceiver: internal
	MDI-X: Unknown
        Current message level: 0x00000000 (0)
                              
	Link detected: yes
`,
    0,
  ],
])('%s', async (command, expected, status) => {
  const ended = await lab.command('client', command)
  expect([ended.output, ended.status]).toEqual([expected, status])
})
