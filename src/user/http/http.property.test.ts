/** Whatever comes: parsers never throw, and no peer keeps a program for ever or ends the run. */
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { decodeUtf8, encodeLatin1 } from '#base/bytes'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { parseLab } from '#lab/plan'
import { ChunkDecoder, headEnd, parseFields } from './message.ts'
import { expandGlob, parseUrl, resolveUrl } from './url.ts'

const PIECES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.0 404 x',
  'GET / HTTP/1.1',
  'POST /x HTTP/1.1',
  'GET /%00%ff/../..//. HTTP/1.0',
  'Host: b',
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Connection: keep-alive',
  'Location: http://[::1',
  'Range: bytes=-',
  'Expect: 100-continue',
  'Set-Cookie: =;;=',
  ': x',
  'ffffffffffffffff',
  '5',
  'hello',
  '0',
  '',
  '\0\x01\xff',
]

function message(random: RandomStream): string {
  let text = ''
  for (let i = random.below(9); i >= 0; i--) {
    text += PIECES[random.below(PIECES.length)]! + ['\r\n', '\n', '\r\n\r\n', ' ', ''][random.below(5)]!
  }
  return text
}

test('heads, chunks, URLs and patterns', () => {
  forSeeds(2000, (random) => {
    const bytes = random.below(3) === 0 ? random.bytes(random.below(100)) : encodeLatin1(message(random))
    const end = headEnd(bytes)
    expect(end).toBeLessThanOrEqual(bytes.length)
    const text = decodeUtf8(bytes)
    parseFields(text.split('\n'))
    const decoder = new ChunkDecoder()
    for (let at = 0; at < bytes.length; at += 7) decoder.push(bytes.subarray(at, at + 7))
    const url = parseUrl(`http://${text.slice(0, 40)}`)
    if (url.ok) resolveUrl(url.url, text)
    expandGlob(text.slice(0, 60))
  })
})

test('servers and clients with garbage at the other end', async () => {
  const { plan } = parseLab(
    'networks: { lan: {} }\nhosts: { a: { eth0: lan 10.0.0.1/24 }, b: { eth0: lan 10.0.0.2/24 } }',
    'lab.yaml',
  )
  const lab = new SimLab(plan, { seed: 1, start: 0, capture: false })
  lab.writeFile(
    'b',
    '/etc/nginx/nginx.conf',
    'error_log /tmp/e; pid /tmp/pid; events {} http { access_log /tmp/a; server { listen 81; root /srv; location /p/ { proxy_pass http://10.0.0.1:90; } } }',
  )
  await lab.command(
    'b',
    'mkdir -p /srv; echo x > /srv/index.html; cd /srv; python3 -m http.server 80 >/dev/null 2>&1 & nginx; sleep 0.1',
  )
  const inputs: string[] = []
  forSeeds(25, (random) => {
    inputs.push(message(random))
  })
  for (const [i, input] of inputs.entries()) {
    lab.writeFile('a', '/tmp/in', input)
    for (const port of [80, 81]) {
      const { timedOut } = await lab.command('a', `nc -N -w 2 b ${port} < /tmp/in > /tmp/out`, { limitS: 100 })
      expect(timedOut, `input ${i} to port ${port}`).toBe(false)
    }
    // And the other way: a server that says it to curl, ab, and nginx's proxy.
    await lab.command('a', `nc -lN -w 1 90 < /tmp/in > /tmp/got & sleep 0.1`)
    const { timedOut } = await lab.command('b', 'curl -s -m 3 http://10.0.0.1:90/ -o /dev/null', { limitS: 100 })
    expect(timedOut, `answer ${i}`).toBe(false)
    await lab.command('a', `nc -lN -w 1 90 < /tmp/in > /tmp/got & sleep 0.1`)
    await lab.command('a', 'curl -s -m 3 http://b:81/p/ -o /dev/null', { limitS: 100 })
  }
  const { output } = await lab.command(
    'a',
    'curl -s http://b/ http://b:81/; ab -q -n 2 -s 1 http://b:81/ | grep Complete',
  )
  expect(output).toBe('x\nx\nComplete requests:      2\n')
}, 60_000)
