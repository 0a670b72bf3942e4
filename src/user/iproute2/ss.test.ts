/** The table of `ss`, and its filters. The tables were printed by iproute2 6.1.0. */
import { describe, expect, test } from 'vitest'
import type { SocketMessage } from '#kernel/net'
import { parseSocketFilter } from './ss-filter.ts'
import { NETID, SocketTable } from './ss-table.ts'

function row(
  netid: string,
  state: string,
  queue: string,
  local: string,
  port: string,
  peer: string,
  peerPort: string,
): string[] {
  return [netid, state, queue.padEnd(6), '0     ', `${local}:`, port, peer === '*' ? '*' : `${peer}:`, peerPort, '', '']
}

const ROWS = [
  row('nl', 'UNCONN', '0', '0', '0', '*', ''),
  row('nl', 'UNCONN', '832', '4', '0', '*', ''),
  row('nl', 'UNCONN', '4352', '4', '11374', '*', ''),
  row('p_raw', 'UNCONN', '0', '[2054]', 'eth0', '*', ''),
  row('p_dgr', 'UNCONN', '25024', '*', '*', '*', ''),
  row('raw', 'UNCONN', '3328', '0.0.0.0', '1', '0.0.0.0', '*'),
  row('udp', 'UNCONN', '0', '10.0.0.1%eth0', '68', '0.0.0.0', '*'),
  row('udp', 'ESTAB', '0', '127.0.0.1', '4000', '127.0.0.1', '5353'),
  row('tcp', 'ESTAB', '0', '127.0.0.1', '8080', '127.0.0.1', '41602'),
]

function table(rows: string[][]): SocketTable {
  const made = new SocketTable()
  made.addHeader()
  for (const one of rows) made.add(one)
  return made
}

test('no terminal: columns as wide as what is in them', () => {
  expect(table(ROWS).render(undefined)).toBe(
    `Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
nl    UNCONN 0      0                  0:0                 *            
nl    UNCONN 832    0                  4:0                 *            
nl    UNCONN 4352   0                  4:11374             *            
p_raw UNCONN 0      0             [2054]:eth0              *            
p_dgr UNCONN 25024  0                  *:*                 *            
raw   UNCONN 3328   0            0.0.0.0:1          0.0.0.0:*           
udp   UNCONN 0      0      10.0.0.1%eth0:68         0.0.0.0:*           
udp   ESTAB  0      0          127.0.0.1:4000     127.0.0.1:5353        
tcp   ESTAB  0      0          127.0.0.1:8080     127.0.0.1:41602       
`,
  )
})

test('80 columns: what is left is shared out, from the last column on', () => {
  expect(table(ROWS).render(80)).toBe(
    `Netid State   Recv-Q  Send-Q   Local Address:Port    Peer Address:Port  Process 
nl    UNCONN  0       0                    0:0                   *              
nl    UNCONN  832     0                    4:0                   *              
nl    UNCONN  4352    0                    4:11374               *              
p_raw UNCONN  0       0               [2054]:eth0                *              
p_dgr UNCONN  25024   0                    *:*                   *              
raw   UNCONN  3328    0              0.0.0.0:1            0.0.0.0:*             
udp   UNCONN  0       0        10.0.0.1%eth0:68           0.0.0.0:*             
udp   ESTAB   0       0            127.0.0.1:4000       127.0.0.1:5353          
tcp   ESTAB   0       0            127.0.0.1:8080       127.0.0.1:41602         
`,
  )
})

test('60 columns: too many for a line', () => {
  expect(table(ROWS).render(60).split('\n').slice(0, 2)).toEqual([
    'Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port                         Process                        ',
    'nl    UNCONN 0      0                  0:0                 *                                                            ',
  ])
})

test('the details of the last socket have no say in the width', () => {
  const made = new SocketTable()
  made.disable(NETID)
  made.addHeader()
  const listening = row('tcp', 'LISTEN', '0', '0.0.0.0', '8080', '0.0.0.0', '*')
  listening[3] = '128   '
  listening[8] = ' users:(("python3",pid=10989,fd=5))'
  made.add(listening)
  expect(made.render(80)).toBe(
    `State    Recv-Q   Send-Q     Local Address:Port     Peer Address:Port  Process  
LISTEN   0        128              0.0.0.0:8080          0.0.0.0:*      users:(("python3",pid=10989,fd=5))
`,
  )
})

describe('filters', () => {
  const socket = (local: string, localPort: number, peer: string, peerPort: number) =>
    ({
      family: 'AF_INET',
      netid: 'tcp',
      local,
      localPort: String(localPort),
      peer,
      peerPort: String(peerPort),
    }) as SocketMessage
  const client = socket('10.0.0.1', 40000, '10.0.0.2', 80)
  const server = socket('10.0.0.2%eth0', 80, '10.0.0.1', 40000)
  const listener = socket('0.0.0.0', 22, '0.0.0.0', 0)

  test.each([
    ['dport = :80', [client]],
    ['sport eq 80', [server]],
    ['( dport = :80 or sport = :80 )', [client, server]],
    ['sport < 1024', [server, listener]],
    ['not sport < 1024', [client]],
    ['dst 10.0.0.2', [client]],
    ['src 10.0.0.0/24 and dport != :80', [server]],
    ['dst 10.0.0.2:http', [client]],
    ['! ( dst 10.0.0.0/8 )', [listener]],
  ])('%s', (text, expected) => {
    const filter = parseSocketFilter(text.split(' '), new Map([['http', 80]]), '')!
    expect([client, server, listener].filter(filter)).toEqual(expected)
  })

  test.each([
    ['foo', 'Error: an inet prefix is expected rather than "foo".\nCannot parse dst/src address.\n'],
    ['dport = :foo', 'Error: "foo" does not look like a port.\nCannot parse dst/src address.\n'],
    ['( dport = :1', 'ss: bison bellows (while parsing filter): "syntax error!" Sorry.\n'],
  ])('%s is refused', (text, expected) => {
    expect(() => parseSocketFilter(text.split(' '), new Map(), '')).toThrow(expected)
  })
})
