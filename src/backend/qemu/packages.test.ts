import { describe, expect, test } from 'vitest'
import { cpio } from './cpio.ts'
import { accounts, moduleOrder, withoutSignature } from './image.ts'
import { closureOf, parseStatus } from './packages.ts'

const STATUS = `Package: shell
Status: install ok installed
Architecture: amd64
Version: 5.2-1
Pre-Depends: libc6 (>= 2.36), libtinfo6:any (>= 6)
Depends: files, awk | never-heard-of

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: mawk
Status: install ok installed
Architecture: amd64
Version: 1.3
Provides: awk (= 1), other

Package: files
Status: deinstall ok config-files
Architecture: all
Version: 1
`

describe('packages', () => {
  const installed = parseStatus(STATUS)

  test('only what is fully installed counts', () => {
    expect([...installed.keys()]).toEqual(['shell', 'libc6', 'mawk'])
    expect(installed.get('shell')!.needs).toEqual([['libc6'], ['libtinfo6'], ['files'], ['awk', 'never-heard-of']])
  })

  test('a closure follows dependencies and what provides them', () => {
    expect(closureOf(['shell', 'missing'], installed).map(({ name }) => name)).toEqual(['libc6', 'mawk', 'shell'])
  })
})

test('modules come after what they need', () => {
  const dependencies =
    'fs/ext4/ext4.ko: lib/crc16.ko fs/jbd2.ko\nlib/crc16.ko:\nfs/jbd2.ko: lib/crc16.ko\nnet/tun.ko:\n'
  expect(moduleOrder(['tun', 'ext4', 'built_in'], dependencies)).toEqual([
    'net/tun.ko',
    'lib/crc16.ko',
    'fs/jbd2.ko',
    'fs/ext4/ext4.ko',
  ])
})

test('a module loses its signature, and one without stays as it is', () => {
  const body = Buffer.from('module')
  const info = Buffer.alloc(12)
  info.writeUInt32BE(5, 8)
  const signed = Buffer.concat([body, Buffer.from('12345'), info, Buffer.from('~Module signature appended~\n')])
  expect(withoutSignature(signed)).toEqual(body)
  expect(withoutSignature(body)).toEqual(body)
})

test('an archive is aligned and ends with its trailer', () => {
  const archive = cpio([{ path: 'dev' }, { path: 'init', content: Buffer.from('#!x'), executable: true }])
  expect(archive.length % 4).toBe(0)
  expect(archive.toString('latin1', 0, 22)).toBe('0707010000000100' + '0041ed')
  const second = archive.indexOf('070701', 6)
  expect(second % 4).toBe(0)
  expect(archive.toString('latin1', second + 110, second + 114)).toBe('init')
  expect(archive.toString('latin1')).toContain('TRAILER!!!')
})

test('accounts of Debian and its packages come along, people and passwords don’t', () => {
  const passwd =
    'root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n'
  expect(accounts(passwd, 'root:x:0:ann\nann:x:1000:\n')).toEqual({
    passwd: 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n',
    group: 'root:x:0:\n',
    shadow: 'root:*:20454:0:99999:7:::\nnobody:*:20454:0:99999:7:::\n',
  })
})
