/**
 * Boots each configuration once on QEMU's machines and keeps what Debian's kernel shows there, in `recorded.json.gz`.
 * Time is virtual (it counts instructions), so that it takes as long as there is to compute and comes out alike each time.
 *
 *     npx tsx src/backend/qemu/configurations/record.ts [--again] [--minutes=5] [NAME...]   records what is missing
 *     npx tsx src/backend/qemu/configurations/record.ts --show NAME [COMMAND]
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { type ArchiveEntry, cpio } from '../cpio.ts'
import { moduleOrder, prepareMachine, withoutSignature } from '../image.ts'
import { oneThreadAtATime, QEMU } from '../machine.ts'
import { COMMANDS, MODULES, PROGRAMS, sleepsUpTo } from './commands.ts'
import { CONFIGURATIONS, type Configuration } from './list.ts'
import { type Records, readRecords, writeRecords } from './records.ts'

const HERE = dirname(fileURLToPath(import.meta.url))

/** As the backend's, but what is about time: the kernel decides on its own. */
const ALWAYS = 'panic=-1 nokaslr mitigations=off audit=0 apparmor=0 cryptomgr.notests'

function guest(release: string, commands: string[]): Buffer {
  const files = new Map<string, Uint8Array>()
  const add = (path: string) => {
    if (!files.has(path)) files.set(path, readFileSync(path))
  }
  for (const name of PROGRAMS) {
    const path = execFileSync('which', [name], { encoding: 'utf8' }).trim()
    add(path)
    const needed = execFileSync('ldd', [path], { encoding: 'utf8' }).matchAll(/\/\S+/g)
    for (const [library] of needed) add(library)
  }
  const perl = '/usr/lib/x86_64-linux-gnu/perl-base'
  for (const name of ['strict.pm', 'warnings.pm']) add(join(perl, name))
  for (const path of ['/usr/share/misc/pci.ids']) if (existsSync(path)) add(path)
  const modules = `/lib/modules/${release}`
  const order = moduleOrder(MODULES, readFileSync(join(modules, 'modules.dep'), 'utf8'))
  const flat = order.map((path) => path.replace(/^.*\//, ''))
  order.forEach((path, i) => {
    files.set(`/records/${flat[i]}`, withoutSignature(readFileSync(join(modules, path))))
  })
  files.set('/records/modules', Buffer.from(flat.join('\n')))
  files.set('/records/commands', Buffer.from(commands.map((command) => `${command}\0`).join('')))
  for (const name of ['clocks.pl', 'sleeps.pl']) files.set(`/records/${name}`, readFileSync(join(HERE, name)))
  files.set('/init', readFileSync(join(HERE, 'init.pl')))
  files.set('/bin/bash', readFileSync(realpathSync('/bin/bash')))
  const folders = new Set<string>()
  const entries: ArchiveEntry[] = []
  const folder = (path: string) => {
    if (path === '/' || folders.has(path)) return
    folder(dirname(path))
    folders.add(path)
    entries.push({ path: path.slice(1) })
  }
  for (const path of ['/dev', '/proc', '/sys', '/tmp']) folder(path)
  for (const [path, content] of files) {
    folder(dirname(path))
    entries.push({ path: path.slice(1), content, executable: true })
  }
  return cpio(entries)
}

function words({ machine, cpus, hpet, cpu, cmdline, devices }: Configuration, kernel: string, initrd: string) {
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-seed', '1'],
    ...['-machine', `${machine},hpet=${hpet ? 'on' : 'off'}`, '-accel', 'tcg', '-smp', String(cpus), '-m', '512M'],
    // Two CPUs that count instructions wait for one another for minutes: their clock is the real one.
    ...(cpus === 1 ? ['-icount', 'shift=0,align=off,sleep=off'] : []),
    ...['-cpu', cpu, '-rtc', 'base=2026-01-01T00:00:00,clock=vm'],
    ...['-chardev', 'stdio,id=out,signal=off', '-device', 'isa-debugcon,iobase=0xe9,chardev=out'],
    ...devices.flatMap((device) => ['-device', device]),
    ...['-kernel', kernel, '-initrd', initrd, '-append', `${ALWAYS} ${cmdline}`.trim()],
  ]
}

/** One boot; undefined if nothing came within the time. */
function boot(configuration: Configuration, kernel: string, initrd: string, limitMs: number) {
  return new Promise<Record<string, string> | undefined>((resolve) => {
    const child = spawn('setpriv', [
      '--pdeathsig',
      'KILL',
      ...oneThreadAtATime(),
      QEMU,
      ...words(configuration, kernel, initrd),
    ])
    const parts: Buffer[] = []
    let complaint = ''
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
    child.stderr.on('data', (data: Buffer) => {
      complaint += data
    })
    child.stdout.on('data', (data: Buffer) => {
      parts.push(data)
      const all = Buffer.concat(parts)
      if (all.length >= 4 && all.length >= all.readUInt32LE(0) + 4) child.kill('SIGKILL')
    })
    child.on('close', () => {
      clearTimeout(timer)
      const all = Buffer.concat(parts)
      if (all.length < 4 || all.length < all.readUInt32LE(0) + 4) {
        console.error(complaint.trim() || `${all.length} bytes came`)
        resolve(undefined)
        return
      }
      const texts = gunzipSync(all.subarray(4, 4 + all.readUInt32LE(0)))
        .toString()
        .split('\0')
      const said: Record<string, string> = {}
      for (let i = 0; i + 1 < texts.length; i += 2) said[texts[i]!] = texts[i + 1]!
      resolve(said)
    })
  })
}

async function record(names: string[], again: boolean, minutes: number): Promise<void> {
  const started = performance.now()
  const { kernel, release } = await prepareMachine(console.error)
  const scratch = mkdtempSync(join(tmpdir(), 'kaidoku-record-'))
  try {
    const records: Records = readRecords()
    records.release = release
    for (const name of names) {
      const configuration = CONFIGURATIONS[name]
      if (!configuration) throw new Error(`no configuration is called ${name}`)
      const commands = configuration.sleeps ? [...COMMANDS, sleepsUpTo(configuration.sleeps)] : COMMANDS
      const known = records.said[name]
      if (!again && known && commands.every((command) => known[command] !== undefined)) continue
      if (performance.now() - started > minutes * 60_000) break
      const from = performance.now()
      const initrd = join(scratch, `initrd-${configuration.sleeps ?? 0}`)
      if (!existsSync(initrd)) writeFileSync(initrd, guest(release, commands))
      const said = await boot(configuration, kernel, initrd, 120_000)
      console.error(`${name}: ${said ? 'recorded' : 'NOTHING'} in ${((performance.now() - from) / 1000).toFixed(1)} s`)
      if (!said) continue
      records.said[name] = said
      writeRecords(records)
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Machines of one CPU repeat to the byte; the others come last. */
function quickestFirst(): string[] {
  const names = Object.keys(CONFIGURATIONS)
  return names.sort((a, b) => CONFIGURATIONS[a]!.cpus - CONFIGURATIONS[b]!.cpus)
}

const words_ = process.argv.slice(2)
const operands = words_.filter((word) => !word.startsWith('--'))
if (words_.includes('--show')) {
  const said = readRecords().said[operands[0]!] ?? {}
  if (operands[1] !== undefined) console.log(said[operands[1]])
  else for (const [command, text] of Object.entries(said)) console.log(`# ${command}\n${text}`)
} else {
  const minutes = Number(/^--minutes=(\d+)$/.exec(words_.find((word) => word.startsWith('--minutes')) ?? '')?.[1] ?? 5)
  await record(operands.length > 0 ? operands : quickestFirst(), words_.includes('--again'), minutes)
}
