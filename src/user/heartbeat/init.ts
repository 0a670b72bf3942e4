/** /etc/init.d/heartbeat, and `service`, which runs such scripts. heartbeat 3.0.6 heartbeat/init.d/heartbeat.in; init-system-helpers 1.65 service */
import { type Body, readTextFile } from '#kernel/core'
import { capture, system } from './running.ts'
import { RSCTMP, type Script } from './script.ts'

const HEARTBEAT = '/usr/libexec/heartbeat/heartbeat'

export function* initScript(script: Script, argv: string[]): Body<number> {
  const { io, sys } = script
  if (!sys.stat('/etc/ha.d/ha.cf').ok) {
    io.print('Heartbeat not configured: /etc/ha.d/ha.cf not found. Heartbeat failure [rc=1]. Failed.\n')
    return 0
  }
  switch (argv[1]) {
    case 'start': {
      const status = yield* startHa(script)
      io.print('\n')
      return status
    }
    case 'stop': {
      const status = yield* stopHa(script)
      io.print('\n')
      if (status === 0) sys.unlink('/var/lock/subsys/heartbeat')
      return status
    }
    case 'status':
      return yield* system(sys, [HEARTBEAT, '-s'])
    case 'restart':
      return yield* restart(script)
    case 'standby':
      return yield* standby(script)
    case 'reload':
    case 'force-reload': {
      io.print('Reloading High-Availability services: ')
      io.flush()
      yield* io.settle()
      const status = yield* system(sys, [HEARTBEAT, '-r'])
      io.print(status === 0 ? 'Done.\n\n' : ` Heartbeat failure [rc=${status}]. Failed.\n\n`)
      return status
    }
    default:
      io.print(`Usage: ${argv[0]} {start|stop|status|restart|reload|force-reload}\n`)
      return 1
  }
}

function* show(script: Script, text: string): Body<void> {
  script.io.print(text)
  script.io.flush()
  yield* script.io.settle()
}

function* startHa(script: Script): Body<number> {
  const { sys, io } = script
  yield* show(script, 'Starting High-Availability services: ')
  yield* system(sys, ['/usr/share/heartbeat/ResourceManager', 'verifyallidle'])
  for (const [dir, mode] of [
    [RSCTMP, 0o1755],
    ['/run/crm', 0o750],
    ['/run/heartbeat', 0o750],
    ['/run/heartbeat/ccm', 0o750],
    ['/run/heartbeat/crm', 0o750],
    ['/run/heartbeat/dopd', 0o750],
  ] as const) {
    if (!sys.stat(dir).ok) sys.mkdir(dir)
    sys.chmod(dir, mode)
  }
  const { output, status } = yield* capture(sys, ['/bin/sh', '-c', `${HEARTBEAT} 2>&1`])
  if (status === 0) {
    io.print('Done.\n')
    sys.mkdir('/var/lock/subsys')
    const file = yield* sys.open('/var/lock/subsys/heartbeat', 0o101, 0o644)
    if (file.ok) sys.close(file.value)
    return 0
  }
  io.print(` Heartbeat failure [rc=${status}]. Failed.\n`)
  const said = output.replace(/\n+$/, '')
  if (said !== '') io.print(`\n${said}\n`)
  return status
}

function* stopHa(script: Script): Body<number> {
  yield* show(script, 'Stopping High-Availability services: ')
  const status = yield* system(script.sys, [HEARTBEAT, '-k'], { out: '/dev/null', error: '/dev/null' })
  script.io.print(status === 0 ? 'Done.\n' : ` Heartbeat failure [rc=${status}]. Failed.\n`)
  return status
}

function* parameter(script: Script, name: string): Body<string> {
  const file = yield* readTextFile(script.sys, '/etc/ha.d/ha.cf')
  const lines = (file.ok ? file.value : '').split('\n').map((line) =>
    line
      .replace(/[\t ]+/g, ' ')
      .replace(/^ /, '')
      .replace(/#.*/, ''),
  )
  const values = lines
    .filter((line) => line.toLowerCase().startsWith(`${name} `))
    .map((line) => line.slice(name.length + 1))
  return values.join(' ').trim()
}

function* restart(script: Script): Body<number> {
  const deadtime = (yield* parameter(script, 'deadtime')) || '5'
  yield* stopHa(script)
  script.io.print('\n')
  yield* show(script, 'Waiting to allow resource takeover to complete:')
  yield* system(script.sys, ['/bin/sh', '-c', `sleep ${deadtime}`])
  yield* script.sys.sleep(10e9)
  script.io.print('Done.\n\n')
  yield* startHa(script)
  script.io.print('\n')
  return 0
}

function* standby(script: Script): Body<number> {
  const { io } = script
  const failback = (yield* parameter(script, 'auto_failback')).toLowerCase()
  if (failback.includes('legacy') || failback === '') {
    io.print(`auto_failback ${failback === '' ? 'defaulted' : 'is set'} to legacy.  Cannot enter standby.\n`)
    return 1
  }
  io.print(`auto_failback: ${failback}\n`)
  const running = yield* capture(script.sys, [HEARTBEAT, '-s'])
  if (running.status !== 0) {
    io.print('Heartbeat is not currently running.\n')
    return 1
  }
  yield* show(script, 'Attempting to enter standby mode')
  const status = yield* system(script.sys, ['/usr/share/heartbeat/hb_standby'])
  io.print(status === 0 ? 'Done.\n' : ` Heartbeat failure [rc=${status}]. Failed.\n`)
  return status
}

/** service NAME ACTION... */
export function* service(script: Script, argv: string[]): Body<number> {
  const { io, sys } = script
  const [, name, ...words] = argv
  if (name === undefined) {
    io.print('Usage: service < option > | --status-all | [ service_name [ command | --full-restart ] ]\n')
    return 1
  }
  const path = `/etc/init.d/${name}`
  if (!sys.access(path, 'x').ok) {
    io.error(`${name}: unrecognized service\n`)
    return 1
  }
  const done = yield* sys.exec(path, [path, ...words])
  return done.ok ? done.value : 126
}
