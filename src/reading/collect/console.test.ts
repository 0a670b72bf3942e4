/** Commands told from what they print. */
import { expect, test } from 'vitest'
import { parseConsole } from './console.ts'

const commandsOf = (text: string, language = '') =>
  parseConsole(text, language)?.commands.map(({ prompt, command, output }) => [prompt, command, output])

test('prompts of many kinds', () => {
  expect(commandsOf('$ ip link\n1: lo\n2: eth0\n$ true\n')).toEqual([
    ['$', 'ip link', '1: lo\n2: eth0\n'],
    ['$', 'true', ''],
  ])
  expect(commandsOf('[root@director ~]# ipvsadm -Ln\nIP Virtual Server\n  -> x\n[root@director ~]# \n')).toEqual([
    ['[root@director ~]#', 'ipvsadm -Ln', 'IP Virtual Server\n  -> x\n'],
  ])
  expect(commandsOf('user@host:~$ ls\na\nuser@host:/etc$ cat a # not a prompt\n# a comment in a\n')).toEqual([
    ['user@host:~$', 'ls', 'a\n'],
    ['user@host:/etc$', 'cat a # not a prompt', '# a comment in a\n'],
  ])
  expect(
    parseConsole('director# ipvsadm -Ln\nx\nclient$ ping -c 1 a\n', '')?.commands.map(({ host, root, command }) => [
      host,
      root,
      command,
    ]),
  ).toEqual([
    ['director', true, 'ipvsadm -Ln'],
    ['client', false, 'ping -c 1 a'],
  ])
  expect(commandsOf('# ip addr\n1: lo\n# sysctl -w net.ipv4.ip_forward=1\n')?.map(([, command]) => command)).toEqual([
    'ip addr',
    'sysctl -w net.ipv4.ip_forward=1',
  ])
})

test('continued lines and here-documents are one command', () => {
  expect(
    commandsOf(
      '$ iptables -t nat \\\n> -A POSTROUTING \\\n  -j MASQUERADE\n$ cat <<EOF > a\n> one\n> $ two\n> EOF\nprinted\n',
    ),
  ).toEqual([
    ['$', 'iptables -t nat \\\n-A POSTROUTING \\\n  -j MASQUERADE', ''],
    ['$', 'cat <<EOF > a\none\n$ two\nEOF', 'printed\n'],
  ])
})

test('what is no console', () => {
  for (const [text, language] of [
    ['#!/bin/sh\n# install it\nmake\n', 'bash'],
    ['# comment\nnet.ipv4.ip_forward = 1\n', ''],
    ['#include <stdio.h>\n', 'c'],
    ['# Title\n\nwords\n', ''],
    ['100 % of it\n$HOME\n$x = 1;\n', 'php'],
    ['', ''],
  ] as const)
    expect(parseConsole(text, language), text).toBeUndefined()
})

test('long lines cost little', () => {
  for (const line of [
    'a@'.repeat(50_000),
    `[${'a'.repeat(90_000)}`,
    '$'.repeat(90_000),
    `x:${'y'.repeat(90_000)}#`,
    '\\'.repeat(90_000),
  ])
    parseConsole(`$ ${line}\n${line}\n`, '')
}, 60_000)
