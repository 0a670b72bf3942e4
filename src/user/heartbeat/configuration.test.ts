/** ha.cf, authkeys and haresources: what is understood, and what must not be. */
import { describe, expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { AuthKeys } from './authkeys.ts'
import { type ConfigurationHost, HaCfParser, parseBoolean, parseMs } from './configuration.ts'
import { parseHaresources, scriptOf } from './resource-manager.ts'

function parse(text: string) {
  const said: string[] = []
  const host: ConfigurationHost = {
    node: 'node1',
    broadcastOf: (device) =>
      device === 'eth0' ? { ok: true, address: 0x0a0000ff } : { ok: false, error: 'No such device' },
    addressOf: (device) => (device === 'eth0' ? { ok: true } : { ok: false, error: 'No such device' }),
    lookup: (name) => (name === 'router' ? 0x0a000001 : undefined),
    serviceOf: (port) => (port === 53 ? 'domain' : undefined),
    executable: (path) => path === '/bin/true',
    userExists: (name) => name === 'root',
    say: (level, line) => said.push(`${level}: ${line}`),
    raw: (line) => said.push(line),
    setLog: () => {},
  }
  const parser = new HaCfParser(host)
  const good = parser.parse(text)
  return { parser, config: parser.config, good, said }
}

test.each([
  ['10', 10_000],
  ['1500ms', 1500],
  ['1.5', 1500],
  ['250us', 0],
  ['600 us', 1],
  ['2 ms', 2],
  ['3s', -1],
  ['soon', -1],
  ['', -1],
])('%s is %d ms', (text, ms) => expect(parseMs(text)).toBe(ms))

test('booleans', () => {
  expect(['on', 'YES', 'y', '1', 'True'].map(parseBoolean)).toEqual([true, true, true, true, true])
  expect(['off', 'No', 'n', '0', 'false'].map(parseBoolean)).toEqual([false, false, false, false, false])
  expect(parseBoolean('legacy')).toBeUndefined()
})

describe('ha.cf', () => {
  test('media and nodes in their order; comments, tabs and several values', () => {
    const { config, good } = parse(
      '# a\n\tkeepalive 500ms # b\nbcast eth0\nmcast eth0 225.0.0.1 694 1 0\nucast eth0 10.0.0.2\nping router 10.0.0.9\nping_group two 10.0.0.8 router\nnode Node1 node2\n',
    )
    expect(good).toBe(true)
    expect(config.keepaliveMs).toBe(500)
    expect(config.media.map(({ type, name }) => `${type} ${name}`)).toEqual([
      'bcast eth0',
      'mcast eth0',
      'ucast eth0',
      'ping router',
      'ping 10.0.0.9',
      'ping_group two',
    ])
    expect(config.nodes.filter(({ ping }) => !ping).map(({ name }) => name)).toEqual(['node1', 'node2'])
  })

  test('the port counts for the media behind it', () => {
    const { config } = parse('udpport 700\nbcast eth0\n')
    expect(config.media[0]!.port).toBe(700)
  })

  test('auto_failback', () => {
    expect(parse('auto_failback on').config).toMatchObject({ niceFailback: true, autoFailback: true })
    expect(parse('auto_failback off').config).toMatchObject({ niceFailback: true, autoFailback: false })
    expect(parse('auto_failback legacy').config).toMatchObject({ niceFailback: false, autoFailback: false })
    expect(parse('auto_failback maybe').good).toBe(false)
  })

  test.each([
    ['bcast eth9', /IP interface \[eth9\] does not exist/],
    ['nonsense 1', /Illegal directive \[nonsense\]/],
    ['mcast eth0 10.0.0.1 694 1 0', /bad addr/],
    ['apiauth x', /Invalid apiauth/],
    ['respawn root true', /not full pathname/],
  ])('%s is refused', (line, said) => {
    const { good, said: lines } = parse(line)
    expect(good).toBe(false)
    expect(lines.join('\n')).toMatch(said)
  })

  test.each(['stonith null x', 'watchdog /dev/watchdog', 'crm yes', 'debug 1'])('%s is not modelled', (line) => {
    expect(() => parse(line)).toThrow(/heartbeat/)
  })

  test('no text throws but for what is not modelled', () => {
    const words =
      'bcast mcast ucast ping ping_group node keepalive deadtime eth0 10.0.0.1 225.0.0.1 694 1 0 on off # apiauth uid=x respawn root /bin/true udpport warntime 5ms logfile initdead'.split(
        ' ',
      )
    forSeeds(500, (random) => {
      let text = ''
      for (let i = random.below(30); i > 0; i--) {
        text += random.below(12) === 0 ? String.fromCharCode(...random.bytes(3)) : words[random.below(words.length)]!
        text += [' ', '\t', '\n', ' , '][random.below(4)]!
      }
      try {
        const { parser } = parse(text)
        parser.finish(true)
      } catch (error) {
        expect((error as Error).name).toBe('NotModelled')
      }
    })
  })
})

describe('authkeys', () => {
  const read = (text: string) => {
    const keys = new AuthKeys()
    const said: string[] = []
    return { good: keys.parse(text, (level, line) => said.push(`${level}: ${line}`)), keys, said }
  }

  test('the key that signs, and others that are known', () => {
    const { good, keys } = read('# mine\nauth 2\n1 crc\n2 sha1 HI!\n3 md5 Hello!\n')
    expect(good).toBe(true)
    expect(keys.signing).toBe(2)
    expect([0, 1, 2, 3, 4].map((number) => keys.knows(number))).toEqual([false, true, true, true, false])
  })

  test.each([
    ['1 crc\n', /Missing auth directive/],
    ['auth 1\n2 crc\n', /Auth Key \[1\] not found/],
    ['auth 1\n1 crc key\n', /doesn't use a key/],
    ['auth 1\n1 md5\n', /requires a key/],
    ['auth 99\n99 crc\n', /Invalid authnum \[99\]/],
  ])('%j is refused', (text, said) => {
    const { good, said: lines } = read(text)
    expect(good).toBe(false)
    expect(lines.join('\n')).toMatch(said)
  })

  test('no text throws', () => {
    forSeeds(300, (random) => read(String.fromCharCode(...random.bytes(random.below(60)))))
  })
})

test('haresources: groups that go on, remarks, addresses without a script', () => {
  const groups = parseHaresources('# none\nNode1 10.0.0.1/24/eth0 \\\n  lamp::red::2 #\n\nnode2 bell # rings\n')
  expect(groups).toEqual([
    ['node1', '10.0.0.1/24/eth0', 'lamp::red::2', '#'],
    ['node2', 'bell'],
  ])
  expect(scriptOf('10.0.0.1/24/eth0')).toEqual({ name: 'IPaddr', words: ['10.0.0.1/24/eth0'] })
  expect(scriptOf('lamp::red::2')).toEqual({ name: 'lamp', words: ['red', '2'] })
  expect(scriptOf('bell')).toEqual({ name: 'bell', words: [] })
})
