import { describe, expect, it } from 'vitest'
import { crossSite, isLocalVisit, isLoopbackHost, Limiter, refusedBody, servesHost } from './guard.ts'

const request = (headers: Record<string, string> = {}, method = 'GET') =>
  new Request('http://localhost:3000/', { method, headers })
const visit = (headers: Record<string, string>, peer = '127.0.0.1', version = '1.1') =>
  isLocalVisit(request({ host: 'localhost:3000', accept: 'text/html', ...headers }), peer, version)

describe('a visit from this machine', () => {
  it('is a browser’s, by a name of this machine, through no proxy', () => {
    expect(visit({})).toBe(true)
    expect(visit({ host: '127.0.0.1:3000' }, '::ffff:127.0.0.1')).toBe(true)
    for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'cf-connecting-ip'])
      expect(visit({ [name]: '127.0.0.1' }), name).toBe(false)
    expect(visit({ host: 'room.example' })).toBe(false)
    expect(visit({ host: '127.0.0.1.room.example' })).toBe(false)
    expect(visit({}, '192.168.1.9')).toBe(false)
    expect(visit({}, '127.0.0.1', '1.0')).toBe(false)
    expect(visit({ accept: '*/*' })).toBe(false)
    expect(visit({ 'sec-fetch-site': 'cross-site' })).toBe(false)
  })
})

describe('names', () => {
  it('are of this machine, or told', () => {
    for (const host of ['localhost', 'LOCALHOST:3000', '[::1]:3000', 'a.localhost'])
      expect(isLoopbackHost(host)).toBe(true)
    for (const host of [null, '', 'localhost.example', '128.0.0.1', 'localhost@evil'])
      expect(isLoopbackHost(host)).toBe(false)
    const known = { host: '127.0.0.1', origin: 'https://room.example', names: 'other.example, third.example' }
    expect(['room.example', 'Third.example:443'].every((host) => servesHost(host, known))).toBe(true)
    expect(servesHost('evil.example', known)).toBe(false)
    expect(servesHost('any.example', { host: '0.0.0.0', origin: undefined, names: undefined })).toBe(true)
    expect(servesHost('any.example', { host: undefined, origin: undefined, names: undefined })).toBe(false)
  })
})

describe('forms', () => {
  it('come from a page of ours, or with a token and no cookie', () => {
    const host = { host: 'localhost:3000' }
    const judge = (headers: Record<string, string>, origin?: string) =>
      crossSite(request({ ...host, ...headers }, 'POST'), origin) === undefined
    expect(judge({ origin: 'http://localhost:3000' })).toBe(true)
    expect(judge({ origin: 'http://localhost:3001' })).toBe(false)
    expect(judge({ origin: 'null' })).toBe(false)
    expect(judge({})).toBe(false)
    expect(judge({ 'sec-fetch-site': 'same-origin' })).toBe(true)
    expect(judge({ authorization: 'Bearer x' })).toBe(true)
    expect(judge({ authorization: 'Bearer x', cookie: 'a=b' })).toBe(false)
    expect(judge({ origin: 'https://room.example' }, 'https://room.example')).toBe(true)
    expect(judge({ origin: 'http://localhost:3000' }, 'https://room.example')).toBe(false)
  })
  it('are no longer than their page takes', () => {
    const judge = (path: string, headers: Record<string, string>) => refusedBody(request(headers, 'POST'), path)?.[0]
    expect(judge('/add', { 'content-length': '1000' })).toBeUndefined()
    expect(judge('/add', { 'content-length': '5000000' })).toBe(413)
    expect(judge('/add', { 'transfer-encoding': 'chunked' })).toBe(411)
    for (const path of ['/import', '/ja/import', '/api/v1/imports'])
      expect(judge(path, { 'content-length': '5000000' }), path).toBeUndefined()
    expect(judge('/imports/x', { 'content-length': '5000000' })).toBe(413)
  })
})

describe('tries', () => {
  it('are counted by key, for a while', () => {
    const limiter = new Limiter(2, 1000)
    expect([0, 1, 2].map((now) => limiter.take('a', now))).toEqual([0, 0, 1])
    expect(limiter.take('b', 2)).toBe(0)
    expect(limiter.take('a', 1001)).toBe(0)
    limiter.forget('a')
    expect(limiter.take('a', 1002)).toBe(0)
  })
})
