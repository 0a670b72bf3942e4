/** The tools as they are called. What they print was printed by procps-ng 4.0.2, psmisc 23.6, kmod 30, hostname 3.23 and util-linux 2.38.1. */
import { describe, expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { parseLab } from '#lab/plan'
import { parseStat, ttyName } from './processes.ts'

const { plan } = parseLab(
  'networks: { lan: {} }\nhosts: { vm: { eth0: lan 10.0.0.1/24 10.0.0.2/24, lo: 10.9.9.9/32 }, web: { eth0: lan 10.0.0.3/24 } }',
  'lab.yaml',
)
const labOf = () => new SimLab(plan, { seed: 1, start: 1_767_225_600, capture: false })

/** A table of commands on one host, in order, each with what it prints and its status. */
function printed(rows: [command: string, output: string | RegExp, status: number][]): void {
  const lab = labOf()
  test.each(rows)('%s', async (command, output, status) => {
    const result = await lab.command('vm', command, { limitS: 4000 })
    if (typeof output === 'string') expect(result.output).toBe(output)
    else expect(result.output).toMatch(output)
    expect(result.status).toBe(status)
  })
}

const NOSUCH = 'sysctl: cannot stat /proc/sys/net/ipv4/nosuch: No such file or directory\n'

describe('sysctl', () =>
  printed([
    ['sysctl net.ipv4.ip_forward net/ipv4/ip_forward', 'net.ipv4.ip_forward = 0\nnet.ipv4.ip_forward = 0\n', 0],
    ['sysctl net.ipv4.nosuch', NOSUCH, 1],
    ['sysctl -e net.ipv4.nosuch', '', 0],
    ['sysctl -n net.ipv4.ip_forward', '0\n', 0],
    ['sysctl -N net.ipv4.ip_forward', 'net.ipv4.ip_forward\n', 0],
    ['sysctl -b net.ipv4.ip_forward', '0', 0],
    ['sysctl --dry-run -w net.ipv4.ip_forward=1; cat /proc/sys/net/ipv4/ip_forward', 'net.ipv4.ip_forward = 1\n0\n', 0],
    ['sysctl -w net.ipv4.ip_forward=1; cat /proc/sys/net/ipv4/ip_forward', 'net.ipv4.ip_forward = 1\n1\n', 0],
    ['sysctl -qw net.ipv4.ip_forward=0; cat /proc/sys/net/ipv4/ip_forward', '0\n', 0],
    ['sysctl -w net.ipv4.ip_forward', 'sysctl: command line(0): invalid syntax, continuing...\n', 1],
    ['sysctl', "sysctl: no variables specified\nTry `sysctl --help' for more information.\n", 1],
    ['sysctl -w net.ipv4.ip_forward=abc', 'sysctl: setting key "net.ipv4.ip_forward": Invalid argument\n', 1],
    ['sysctl -w kernel.osrelease=1', 'sysctl: setting key "kernel.osrelease": Invalid argument\n', 0],
    ['sysctl -w net.ipv4=1', 'sysctl: setting key "net.ipv4": Invalid argument\n', 0],
    ["sysctl -a -r 'ip_forward$'", 'net.ipv4.ip_forward = 0\n', 0],
    ["sysctl -a -r '['", '', 0],
    ['sysctl -p /nosuch', 'sysctl: cannot open "/nosuch": No such file or directory\n', 1],
    [
      "printf 'net.ipv4.ip_forward=1\\n# c\\nbad line\\n-net.ipv4.nosuch = 1\\nnet.ipv4.nosuch=2\\n' > /s; sysctl -p /s",
      `net.ipv4.ip_forward = 1\nsysctl: /s(3): invalid syntax, continuing...\n${NOSUCH}${NOSUCH}`,
      1,
    ],
    [
      'sysctl net.ipv4.conf.eth0.arp_ignore; sysctl -a | grep -c arp_ignore',
      'net.ipv4.conf.eth0.arp_ignore = 0\n4\n',
      0,
    ],
  ]))

describe('pgrep, pkill, killall, kill', () =>
  printed([
    ['pgrep', "pgrep: no matching criteria specified\nTry `pgrep --help' for more information.\n", 2],
    ['pgrep a b', "pgrep: only one pattern can be provided\nTry `pgrep --help' for more information.\n", 2],
    ["pgrep '('", 'pgrep: regex error: Unmatched ( or \\(\n', 2],
    ['pgrep -z', /^pgrep: invalid option -- 'z'\n\nUsage:\n pgrep \[options\] <pattern>\n/, 2],
    ['pgrep nosuch', '', 1],
    ['pgrep -c nosuch', '0\n', 1],
    ['sleep 77 & sleep 88 & pgrep -x sleep | wc -l', '2\n', 0],
    ["pgrep -a -f 'sleep 7.' | cut -d' ' -f2-", 'sleep 77\n', 0],
    ["pgrep -l -P $$ -n sleep | cut -d' ' -f2", 'sleep\n', 0],
    ['pgrep -d, sleep | tr -d 0-9', ',\n', 0],
    ['pgrep -x slee', '', 1],
    ["pkill -e -f '^sleep 77$' | sed 's/[0-9]\\+/PID/'", 'sleep killed (pid PID)\n', 0],
    ['pkill -0 sleep; pgrep -c sleep', '1\n', 0],
    ['killall nosuch', 'nosuch: no process found\n', 1],
    ['killall -q nosuch', '', 1],
    ['killall -s FOO x', 'FOO: unknown signal; killall -l lists signals.\n', 1],
    ["killall -r '('", 'killall: Bad regular expression: (\n', 1],
    ["killall -v sleep 2>&1 | sed 's/([0-9]*)/(PID)/'", 'Killed sleep(PID) with signal 15\n', 0],
    ['pgrep sleep', '', 1],
    ['/bin/kill abc', "/bin/kill: failed to parse argument: 'abc'\n", 1],
    ['/bin/kill 9999', '/bin/kill: (9999): No such process\n', 1],
    ['/bin/kill -l 9; /bin/kill -l TERM', 'KILL\n15\n', 0],
    [
      '/bin/kill -l',
      'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT\nCHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH POLL PWR SYS\n',
      0,
    ],
    [
      '/bin/kill -L | tail -2',
      '22 TTOU    23 URG     24 XCPU    25 XFSZ    26 VTALRM  27 PROF    28 WINCH\n29 POLL    30 PWR     31 SYS     \n',
      0,
    ],
  ]))

describe('ps', () =>
  printed([
    ['ps -p 9999', '    PID TTY          TIME CMD\n', 1],
    ['ps -o comm= -p $$', 'bash\n', 0],
    ['ps -o pid,ppid,stat,args -p $$', /^ {4}PID {4}PPID STAT COMMAND\n +\d+ +\d+ Ss {3}bash\n$/, 0],
    ['ps -ef | head -2', /^UID +PID +PPID +C STIME TTY +TIME CMD\nroot +1 +0 +0 00:00 \? +00:00:00 /, 0],
    ['ps aux | head -1', 'USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n', 0],
    ['sleep 50 & ps -C sleep -o args --no-headers', 'sleep 50\n', 0],
    ['ps -o pid,nosuch', /^error: unknown user-defined format specifier "nosuch"\n\nUsage:\n ps \[options\]\n/, 1],
    ['ps --nosuch', /^error: unknown gnu long option\n/, 1],
  ]))

describe('the host as a whole', () =>
  printed([
    ['uptime', / up 0 min, {2}0 user, {2}load average: \d\.\d\d, \d\.\d\d, \d\.\d\d\n$/, 0],
    ['uptime -p', 'up 0 minutes\n', 0],
    ['sleep 3700; uptime -p; uptime', /^up 1 hour, 1 minute\n 01:01:\d\d up {2}1:01, {2}0 user,/, 0],
    ['uptime -s', '2026-01-01 00:00:00\n', 0],
    ['uptime -z', /^uptime: invalid option -- 'z'\n\nUsage:\n uptime \[options\]\n/, 1],
    ['free | head -1', '               total        used        free      shared  buff/cache   available\n', 0],
    ['free -h | tail -1', 'Swap:             0B          0B          0B\n', 0],
    ['hostname; hostname -s; hostname -d', 'vm\nvm\n', 0],
    ['hostname -I', '10.0.0.1 10.0.0.2 \n', 0],
    ['ip link set eth0 down; hostname -I', '\n', 0],
    ["hostname 'a b'", 'hostname: the specified hostname is invalid\n', 1],
    ['hostname vm2.lan; hostname; hostname -d; hostname vm', 'vm2.lan\nlan\n', 0],
    ['lsmod | head -1', 'Module                  Size  Used by\n', 0],
    ['modprobe nosuch', 'modprobe: FATAL: Module nosuch not found in directory /lib/modules/6.1.0-56-amd64\n', 1],
    ['modprobe -q nosuch', '', 1],
    ['modprobe', 'modprobe: ERROR: missing parameters. See -h.\n', 1],
    ['modprobe -r nosuch', 'modprobe: FATAL: Module nosuch not found.\n', 1],
    ['rmmod', 'rmmod: ERROR: missing module name.\n', 1],
    ['rmmod nosuch', 'rmmod: ERROR: Module nosuch is not currently loaded\n', 1],
    ['dmesg -T | head -1', /^\[Thu Jan {2}1 00:00:00 2026\] Linux version 6\.1\.0-/, 0],
    ['dmesg -x | head -1', /^kern {2}:notice: \[ {4}0\.000000\] Linux version /, 0],
    ['dmesg --level foo', "dmesg: unknown level 'foo'\n", 1],
    ['dmesg -z', "dmesg: invalid option -- 'z'\nTry 'dmesg --help' for more information.\n", 1],
    ['watch -n x ls', "watch: failed to parse argument: 'x': Invalid argument\n", 1],
  ]))

test('watch: a full screen, again each interval, until it is interrupted', async () => {
  const { output, status } = await labOf().command('vm', 'watch -n 1 echo hi', { limitS: 2.5 })
  const screens = output.split('\u001b[H')
  expect(output.startsWith('\u001b[?1049h')).toBe(true)
  expect(output.endsWith('\u001b[?1049l')).toBe(true)
  expect(screens.filter((screen) => screen.includes('Every 1.0s: echo hi'))).toHaveLength(3)
  expect(screens.at(-1)).toContain('vm: Thu Jan  1 00:00:02 2026')
  expect(status).toBe(0)
})

test('parseStat: a name may hold parentheses and blanks', () => {
  const rest = 'S 1 7 7 34817 7 0 0 0 0 0 12 3 0 0 20 -5 2 0 456 8192 9'
  expect(parseStat(`7 (a) b (c)) ${rest}`)).toMatchObject({
    pid: 7,
    comm: 'a) b (c)',
    state: 'S',
    ppid: 1,
    utime: 12,
    stime: 3,
    nice: -5,
    threads: 2,
    startTime: 456,
  })
  expect(parseStat('7 a S')).toBeUndefined()
})

test.each([
  [0, '?'],
  [34_816, 'pts/0'],
  [34_819, 'pts/3'],
  [1025, 'tty1'],
])('the terminal %i is %s', (device, name) => expect(ttyName(device)).toBe(name))
