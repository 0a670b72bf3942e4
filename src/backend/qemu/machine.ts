/**
 * A machine under QEMU whose clock counts instructions, and the exchange with the lab's agent in it.
 *
 * The two never wait for one another in virtual time. The guest writes its answer into memory that is a file here,
 * rings a bell, and writes a byte to a gate: a port whose other end is a pipe that we keep full, so that QEMU doesn't
 * come back from that instruction until we make room. Meanwhile we read the answer and write the next request. How long
 * we take can't be seen in the guest. (Pausing a machine in any other way lets QEMU's main loop move the clock of a
 * virtual CPU that it finds idle, at a moment that depends on the weather.)
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AgentChannel, decodeBody, encodeMessage } from '#backend/netns'
import { type Hardware, PLAIN_HARDWARE } from '#kernel/core'
import type { MachineFiles } from './image.ts'

/** The exchange: requests at its start, answers from the middle on; guest/guest.pl has the same numbers. */
const EXCHANGE_BYTES = 32 << 20
const ANSWER_AT = 16 << 20

/** The self-tests of the kernel's ciphers would take a third of the boot. */
const KERNEL_PARAMETERS = 'console=ttyS0 quiet panic=-1 nokaslr mitigations=off audit=0 apparmor=0 cryptomgr.notests'
/** On a machine that isn't itself the subject nobody needs to watch the TSC. */
const PLAIN_PARAMETERS = 'tsc=reliable'

export const QEMU = 'qemu-system-x86_64'

/** A running machine: a channel to the lab's agent in it, and its end. */
export interface Machine extends AgentChannel {
  close(): void
  readonly running: boolean
}

/** What the machine is, word for word: every one of these may change what a guest sees. */
function machineArguments(files: MachineFiles, folder: string, seed: number, hardware: Hardware | undefined): string[] {
  const { type, cpus, memoryMb, hpet, devices, cmdline } = hardware ?? PLAIN_HARDWARE
  const parameters = [
    KERNEL_PARAMETERS,
    ...(hardware ? [...cmdline, 'kaidoku.drivers'] : [PLAIN_PARAMETERS]),
    `kaidoku.seed=${seed}`,
  ]
  const memory = (id: string, path: string, bytes: number, more: string) => [
    ...['-object', `memory-backend-file,id=${id},mem-path=${path},size=${bytes},${more}`],
    ...['-device', `nvdimm,id=nvdimm-${id},memdev=${id}${more.includes('readonly=on') ? ',unarmed=on' : ''}`],
  ]
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-machine', `${type},nvdimm=on${hpet ? '' : ',hpet=off'}`, '-accel', 'tcg,thread=single'],
    ...['-smp', String(cpus), '-m', `${memoryMb}M,slots=2,maxmem=8G`],
    ...devices.flatMap((device) => ['-device', device]),
    ...['-cpu', 'max,-rdrand,-rdseed,-erms,-fsrm,-avx,-avx2'], // Chance comes from the seed alone; and what emulates slowly.
    ...['-icount', 'shift=0,align=off,sleep=off'],
    ...['-rtc', 'base=2026-01-01T00:00:00,clock=vm'],
    ...['-seed', String(seed % 2 ** 32)],
    ...['-chardev', 'stdio,id=bell,signal=off', '-device', 'isa-debugcon,iobase=0xe9,chardev=bell'],
    ...['-chardev', `pipe,id=gate0,path=${folder}/gate0`, '-device', 'isa-debugcon,iobase=0xea,chardev=gate0'],
    ...['-chardev', `pipe,id=gate1,path=${folder}/gate1`, '-device', 'isa-debugcon,iobase=0xeb,chardev=gate1'],
    ...memory('root', files.root, files.rootBytes, 'share=off,readonly=on'),
    ...memory('exchange', `${folder}/exchange`, EXCHANGE_BYTES, 'share=on'),
    ...['-chardev', `file,id=console,path=${folder}/console`, '-device', 'isa-serial,chardev=console'],
    ...['-kernel', files.kernel, '-initrd', files.initrd],
    ...['-append', parameters.join(' ')],
  ]
}

/**
 * QEMU's two threads on one processor, first in first out: then its main loop can't look at the virtual CPU in the
 * instant between its halting and its instructions being counted, where it would move the clock too far. Without that one
 * run of some thirty differed. See docs/decisions/a-machine-that-waits-in-no-time.md.
 */
export function oneThreadAtATime(): string[] {
  const allowed = /^Cpus_allowed_list:.*?(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  const words = ['chrt', '--fifo', '1', 'taskset', '--cpu-list', allowed ?? '0']
  try {
    execFileSync(words[0]!, [...words.slice(1), 'true'], { stdio: 'ignore' })
    return words
  } catch {
    return []
  }
}

const FOLDER = 'kaidoku-qemu-'

/** Removes what machines left whose owners were killed. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const owner = name.startsWith(FOLDER) ? /^\d+/.exec(name.slice(FOLDER.length))?.[0] : undefined
    if (owner !== undefined && !existsSync(`/proc/${owner}`))
      rmSync(join(parent, name), { recursive: true, force: true })
  }
}

/** Boots a machine; resolves when the agent in it waits for requests. */
export async function startMachine(files: MachineFiles, seed: number, hardware?: Hardware): Promise<Machine> {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  sweep(parent)
  const folder = mkdtempSync(join(parent, `${FOLDER}${process.pid}-`))
  const consolePath = join(folder, 'console')
  const exchange = openSync(join(folder, 'exchange'), 'w+')
  ftruncateSync(exchange, EXCHANGE_BYTES)
  const gates = [0, 1].map((which) => openGate(join(folder, `gate${which}`)))
  // setpriv: QEMU ends with us, however we end.
  const words = ['--pdeathsig', 'KILL', ...oneThreadAtATime(), QEMU, ...machineArguments(files, folder, seed, hardware)]
  const child = spawn('setpriv', words, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  const removeFolder = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', removeFolder)

  const bell = bellOf(child, () => {
    const log = existsSync(consolePath) ? readFileSync(consolePath, 'utf8').trim().slice(-2000) : ''
    closeSync(exchange)
    for (const gate of gates) gate.close()
    removeFolder()
    process.off('exit', removeFolder)
    return log
  })

  let turn = 0
  /** Waits until the machine stands still, and gives the piece of answer that it left. */
  const piece = async (): Promise<{ more: boolean; bytes: Buffer }> => {
    await bell.rung()
    gates[(turn + 1) % 2]!.shut() // The guest has passed it, and comes to it next.
    const head = Buffer.alloc(8)
    readSync(exchange, head, 0, 8, ANSWER_AT)
    const bytes = Buffer.alloc(head.readUInt32LE(4))
    readSync(exchange, bytes, 0, bytes.length, ANSWER_AT + 8)
    return { more: head.readUInt32LE(0) !== 0, bytes }
  }
  const goOn = () => gates[turn++ % 2]!.open()
  const answer = async (): Promise<Uint8Array[]> => {
    const parts: Buffer[] = []
    for (;;) {
      const { more, bytes } = await piece()
      parts.push(bytes)
      if (!more) break
      goOn()
    }
    const [kind, ...fields] = decodeBody(Buffer.concat(parts))
    if (Buffer.from(kind!).toString() !== 'ok') throw new Error(Buffer.from(fields[0] ?? []).toString())
    return fields
  }

  let last: Promise<unknown> = Promise.resolve()
  const machine: Machine = {
    get running() {
      return bell.running
    },
    request(fields) {
      const answered = last.then(() => {
        const message = encodeMessage(fields)
        if (message.length > ANSWER_AT) throw new Error('a request of more than 16 MiB')
        if (!bell.running) throw new Error('the machine is off')
        writeSync(exchange, message, 0, message.length, 0)
        goOn()
        return answer()
      })
      last = answered.catch(() => {})
      return answered
    },
    close: () => bell.kill(),
  }
  try {
    await answer()
  } catch (error) {
    machine.close()
    throw error
  }
  return machine
}

/** A pipe that is full, so that who writes to it waits; QEMU's end is `path.out`. */
function openGate(path: string) {
  execFileSync('mkfifo', [`${path}.in`, `${path}.out`])
  const pipe = openSync(`${path}.out`, constants.O_RDWR | constants.O_NONBLOCK)
  const one = Buffer.alloc(1)
  const shut = () => {
    try {
      for (;;) writeSync(pipe, one)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
  shut()
  return {
    shut,
    /** Makes room: a page, since that is what a pipe counts in. */
    open: () => readSync(pipe, Buffer.alloc(4096)),
    close: () => closeSync(pipe),
  }
}

/** The machine's bell, one byte a ring, and its end. */
function bellOf(child: ChildProcess, ended: () => string) {
  let running = true
  let rings = 0
  let complaints = ''
  let waiter: { resolve(): void; reject(error: Error): void } | undefined
  const wake = () => {
    if (waiter === undefined || rings === 0) return
    rings--
    waiter.resolve()
    waiter = undefined
  }
  child.stdin!.on('error', () => {})
  child.stderr!.on('data', (data: Buffer) => {
    complaints = (complaints + data.toString()).slice(-2000)
  })
  child.stdout!.on('data', (data: Buffer) => {
    rings += data.length
    wake()
  })
  const gone = (error?: Error) => {
    if (!running) return
    running = false
    complaints = [error?.message ?? '', complaints, ended()].join('\n').trim()
    waiter?.reject(new Error(`the machine went off: ${complaints}`))
    waiter = undefined
  }
  child.on('error', gone)
  child.on('close', () => gone())
  return {
    get running() {
      return running
    },
    rung(): Promise<void> {
      return new Promise((resolve, reject) => {
        if (!running) return reject(new Error(`the machine is off: ${complaints}`))
        waiter = { resolve, reject }
        wake()
      })
    },
    kill() {
      child.kill('SIGKILL')
    },
  }
}
