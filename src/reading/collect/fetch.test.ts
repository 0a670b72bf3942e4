/** A fetch against servers that mean no good, all of them on this machine. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { whyNotPublic } from './address.ts'
import { afterCheck, checkLink } from './dead-link.ts'
import { FetchError, fetchPage } from './fetch.ts'
import { createRobots } from './robots.ts'

let server: Server
let base = ''
const seen: string[] = []
const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024), { level: 9 })

function answer(request: IncomingMessage, response: ServerResponse) {
  seen.push(`${request.method} ${request.url}`)
  const html = (body: string) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(body)
  switch (new URL(request.url!, 'http://x').pathname) {
    case '/page':
      return html('<p>hello')
    case '/huge': {
      // A gigabyte, as fast as it is taken; counted, so that it is seen to stop.
      response.writeHead(200, { 'content-type': 'text/html' })
      const chunk = Buffer.alloc(64 * 1024, 'x')
      let sent = 0
      const more = () => {
        while (sent < 1024 * 1024 * 1024) {
          sent += chunk.length
          hugeSent = sent
          if (!response.write(chunk)) return void response.once('drain', more)
        }
        response.end()
      }
      response.on('error', () => {})
      return more()
    }
    case '/says-huge':
      return response.writeHead(200, { 'content-type': 'text/html', 'content-length': String(2 ** 40) }).flushHeaders()
    case '/bomb':
      return response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(bomb)
    case '/not-gzip':
      return response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end('plain')
    case '/gzip':
      return response
        .writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' })
        .end(gzipSync('<p>packed'))
    case '/slow':
      response.writeHead(200, { 'content-type': 'text/html' })
      response.write('<p>')
      return
    case '/loop':
      return response.writeHead(302, { location: `/loop?${Math.random()}` }).end()
    case '/self':
      return response.writeHead(302, { location: '/self' }).end()
    case '/to-private':
      return response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end()
    case '/to-file':
      return response.writeHead(302, { location: 'file:///etc/passwd' }).end()
    case '/moved':
      return response.writeHead(301, { location: '/page' }).end()
    case '/image':
      return response.writeHead(200, { 'content-type': 'video/mp4' }).end('x')
    case '/no-head':
      return request.method === 'HEAD' ? response.writeHead(501).end() : html('<p>here')
    case '/robots.txt':
      return response
        .writeHead(200, { 'content-type': 'text/plain' })
        .end('User-agent: *\nDisallow: /secret\nCrawl-delay: 2\n')
    default:
      return response.writeHead(404).end()
  }
}
let hugeSent = 0

beforeAll(async () => {
  server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const open = { allowPrivate: true, timeoutMs: 5000 }
const failing = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(FetchError)
  return (error as FetchError).kind
}

test('a page, packed or moved', async () => {
  expect(new TextDecoder().decode((await fetchPage(`${base}/page`, open)).body)).toBe('<p>hello')
  expect(new TextDecoder().decode((await fetchPage(`${base}/gzip`, open)).body)).toBe('<p>packed')
  expect(await fetchPage(`${base}/moved`, open)).toMatchObject({
    url: `${base}/page`,
    redirects: [`${base}/page`],
    status: 200,
  })
})

test('a gigabyte ends at the limit', async () => {
  expect(await failing(fetchPage(`${base}/huge`, { ...open, maxBytes: 1024 * 1024 }))).toBe('size')
  expect(hugeSent).toBeLessThan(64 * 1024 * 1024)
  expect(await failing(fetchPage(`${base}/says-huge`, open))).toBe('size')
})

test('a bomb of gzip ends at the limit', async () => {
  const before = process.memoryUsage().rss
  expect(await failing(fetchPage(`${base}/bomb`, { ...open, maxBytes: 4 * 1024 * 1024 }))).toBe('size')
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024)
  expect(await failing(fetchPage(`${base}/not-gzip`, open))).toBe('broken')
})

test('slowness, loops and kinds', async () => {
  expect(await failing(fetchPage(`${base}/slow`, { ...open, timeoutMs: 300 }))).toBe('timeout')
  expect(await failing(fetchPage(`${base}/loop`, open))).toBe('redirects')
  expect(await failing(fetchPage(`${base}/self`, open))).toBe('redirects')
  expect(await failing(fetchPage(`${base}/to-file`, open))).toBe('address')
  expect(await failing(fetchPage(`${base}/image`, { ...open, accept: /^text\/html$/u }))).toBe('type')
  expect(await failing(fetchPage('ftp://example.com/', open))).toBe('address')
  expect(await failing(fetchPage('http://user:pass@example.com/', open))).toBe('address')
})

describe('private addresses', () => {
  test('are not connected to, however they are written', async () => {
    const port = new URL(base).port
    for (const host of [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '127.1',
      '2130706433',
      '0x7f.1',
      '[::]',
      '10.0.0.1',
      '169.254.169.254',
      '[fd00::1]',
      '[fe80::1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '100.64.0.1',
    ])
      expect(await failing(fetchPage(`http://${host}:${port}/page`, { timeoutMs: 3000 })), host).toBe('private')
  })

  test('nor by a redirect, nor by a name', async () => {
    const resolve = async (host: string) =>
      host === 'public.example'
        ? [{ address: '127.0.0.1', family: 4 }]
        : [
            { address: '93.184.216.34', family: 4 },
            { address: '::1', family: 6 },
          ]
    expect(await failing(fetchPage('http://public.example/', { resolve }))).toBe('private')
    expect(await failing(fetchPage('http://half.example/', { resolve }))).toBe('private')
    // With private addresses allowed the redirect is followed; without, its target is refused before any connection.
    const count = seen.length
    expect(await failing(fetchPage(`${base}/to-private`, { timeoutMs: 2000 }))).toBe('private')
    expect(seen).toHaveLength(count)
  })

  test('a name that changes its mind is asked once', async () => {
    let asked = 0
    const port = new URL(base).port
    const resolve = async () => [{ address: asked++ === 0 ? '127.0.0.1' : '10.255.255.1', family: 4 }]
    const { body } = await fetchPage(`http://rebinding.example:${port}/page`, { ...open, resolve })
    expect(new TextDecoder().decode(body)).toBe('<p>hello')
    expect(asked).toBe(1)
  })

  test('ranges', () => {
    for (const address of ['8.8.8.8', '93.184.216.34', '2606:2800:220:1::1', '::ffff:8.8.8.8'])
      expect(whyNotPublic(address), address).toBeUndefined()
    for (const address of [
      '192.168.1.1',
      '172.16.0.1',
      '224.0.0.1',
      '255.255.255.255',
      '198.18.0.1',
      '192.0.2.1',
      '::ffff:10.0.0.1',
      'fc00::1',
      'ff02::1',
      '::127.0.0.1',
      'nonsense',
      '',
    ])
      expect(whyNotPublic(address), address).toBeDefined()
  })
})

test('robots.txt is asked once, and heeded', async () => {
  const robots = createRobots()
  expect(await robots.check(`${base}/page`, open)).toEqual({ delayMs: 2000 })
  expect(await failing(robots.check(`${base}/secret/a`, open))).toBe('robots')
  expect(seen.filter((line) => line.includes('robots'))).toHaveLength(1)
})

test('links: alive, moved, gone; dead after days', async () => {
  expect(await checkLink(`${base}/page`, open)).toMatchObject({ state: 'alive', status: 200 })
  expect(await checkLink(`${base}/no-head`, open)).toMatchObject({ state: 'alive', status: 200 })
  expect(await checkLink(`${base}/moved`, open)).toMatchObject({ state: 'moved', movedTo: `${base}/page` })
  const gone = await checkLink(`${base}/gone`, open)
  expect(gone).toMatchObject({ state: 'failing', status: 404 })
  expect(await checkLink('http://127.0.0.1:1/', open)).toMatchObject({ state: 'failing', status: 0 })
  const day = 24 * 60 * 60 * 1000
  let history: ReturnType<typeof afterCheck> = { failures: 0, firstFailedAtMs: undefined, state: 'alive' }
  const states = [0, 1, 2, 3, 4].map((days) => {
    history = afterCheck(history, gone, days * day)
    return history.state
  })
  expect(states).toEqual(['failing', 'failing', 'failing', 'dead', 'dead'])
  expect(afterCheck(history, { ...gone, state: 'alive' }, 5 * day)).toEqual({
    failures: 0,
    firstFailedAtMs: undefined,
    state: 'alive',
  })
})
