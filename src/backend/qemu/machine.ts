/**
 * A machine under QEMU whose clock counts instructions, and the exchange with the lab's agent in it.
 *
 * The two never wait for one another in virtual time: the guest writes its answer into memory that is a file here, and
 * stops the whole machine (its panic port pauses it). We read the answer, write the next request, and let it go on
 * at the same instruction. So how long we take can't be seen in the guest.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type AgentChannel, decodeBody, encodeMessage } from '#backend/netns'
import type { MachineFiles } from './image.ts'

/** The exchange: requests at its start, answers from the middle on; guest/guest.pl has the same numbers. */
const EXCHANGE_BYTES = 32 << 20
const ANSWER_AT = 16 << 20

export const QEMU = 'qemu-system-x86_64'

/** A running machine: a channel to the lab's agent in it, and its end. */
export interface Machine extends AgentChannel {
  close(): void
  readonly running: boolean
}

/** What the machine is, word for word: every one of these may change what a guest sees. */
function machineArguments(files: MachineFiles, exchange: string, console: string, seed: number): string[] {
  const memory = (id: string, path: string, bytes: number, more: string) => [
    ...['-object', `memory-backend-file,id=${id},mem-path=${path},size=${bytes},${more}`],
    ...['-device', `nvdimm,id=nvdimm-${id},memdev=${id}${more.includes('readonly=on') ? ',unarmed=on' : ''}`],
  ]
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-machine', 'pc,nvdimm=on', '-accel', 'tcg', '-smp', '1', '-m', '768M,slots=2,maxmem=4G'],
    ...['-cpu', 'max,-rdrand,-rdseed'], // Chance comes from the seed alone.
    ...['-icount', 'shift=0,align=off,sleep=off', '-rtc', 'base=2026-01-01T00:00:00,clock=vm'],
    ...['-seed', String(seed)],
    ...['-device', 'pvpanic', '-action', 'panic=pause'],
    ...memory('root', files.root, files.rootBytes, 'share=off,readonly=on'),
    ...memory('exchange', exchange, EXCHANGE_BYTES, 'share=on'),
    ...['-chardev', `file,id=console,path=${console}`, '-device', 'isa-serial,chardev=console'],
    ...['-kernel', files.kernel, '-initrd', files.initrd],
    ...['-append', 'console=ttyS0 quiet panic=-1 nokaslr mitigations=off tsc=reliable audit=0'],
    ...['-qmp', 'stdio'],
  ]
}

/** Boots a machine; resolves when the agent in it waits for requests. */
export async function startMachine(files: MachineFiles, seed: number): Promise<Machine> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kaidoku-qemu-'))
  const exchangePath = join(folder, 'exchange')
  const consolePath = join(folder, 'console')
  const exchange = openSync(exchangePath, 'w+')
  ftruncateSync(exchange, EXCHANGE_BYTES)
  // setpriv: QEMU ends with us, however we end.
  const words = ['--pdeathsig', 'KILL', QEMU, ...machineArguments(files, exchangePath, consolePath, seed)]
  const child = spawn('setpriv', words, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  const removeFolder = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', removeFolder)

  const control = controlOver(child, () => {
    const log = existsSync(consolePath) ? readFileSync(consolePath, 'utf8').trim().slice(-2000) : ''
    closeSync(exchange)
    removeFolder()
    process.off('exit', removeFolder)
    return log
  })

  /** Lets the machine run until it stops by itself, and gives the piece of answer that it left. */
  const piece = async (go: boolean): Promise<{ more: boolean; bytes: Buffer }> => {
    await control.untilStop(go)
    const head = Buffer.alloc(8)
    readSync(exchange, head, 0, 8, ANSWER_AT)
    const bytes = Buffer.alloc(head.readUInt32LE(4))
    readSync(exchange, bytes, 0, bytes.length, ANSWER_AT + 8)
    return { more: head.readUInt32LE(0) !== 0, bytes }
  }
  const answer = async (go: boolean): Promise<Uint8Array[]> => {
    const parts: Buffer[] = []
    for (let one = await piece(go); ; one = await piece(true)) {
      parts.push(one.bytes)
      if (!one.more) break
    }
    const [kind, ...fields] = decodeBody(Buffer.concat(parts))
    if (Buffer.from(kind!).toString() !== 'ok') throw new Error(Buffer.from(fields[0] ?? []).toString())
    return fields
  }

  let last: Promise<unknown> = Promise.resolve()
  const machine: Machine = {
    get running() {
      return control.running
    },
    request(fields) {
      const answered = last.then(() => {
        const message = encodeMessage(fields)
        if (message.length > ANSWER_AT) throw new Error('a request of more than 16 MiB')
        if (!control.running) throw new Error('the machine is off')
        writeSync(exchange, message, 0, message.length, 0)
        return answer(true)
      })
      last = answered.catch(() => {})
      return answered
    },
    close: () => control.kill(),
  }
  try {
    await answer(false)
  } catch (error) {
    machine.close()
    throw error
  }
  return machine
}

/** QEMU's machine protocol, as far as we speak it. */
function controlOver(child: ChildProcess, ended: () => string) {
  let running = true
  let stopped = false
  let complaints = ''
  let waiter: { resolve(): void; reject(error: Error): void } | undefined
  const say = (command: string) => child.stdin!.write(`{"execute":"${command}"}\n`)
  child.stdin!.on('error', () => {})
  child.stderr!.on('data', (data: Buffer) => {
    complaints = (complaints + data.toString()).slice(-2000)
  })
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const message = JSON.parse(line) as { event?: string; QMP?: unknown; error?: { desc: string } }
    if (message.QMP) say('qmp_capabilities')
    if (message.error) complaints += `${message.error.desc}\n`
    if (message.event !== 'STOP') return
    stopped = true
    waiter?.resolve()
    waiter = undefined
  })
  const gone = (error?: Error) => {
    if (!running) return
    running = false
    const log = ended()
    waiter?.reject(new Error(`the machine went off: ${[error?.message ?? '', complaints, log].join('\n').trim()}`))
    waiter = undefined
  }
  child.on('error', gone)
  child.on('close', () => gone())
  return {
    get running() {
      return running
    },
    /** Resolves when the machine has stopped; `go` lets it go on first. */
    untilStop(go: boolean): Promise<void> {
      if (!go && stopped) return Promise.resolve()
      return new Promise((resolve, reject) => {
        if (!running) return reject(new Error(`the machine is off: ${complaints.trim()}`))
        waiter = { resolve, reject }
        if (!go) return
        stopped = false
        say('cont')
      })
    },
    kill() {
      child.kill('SIGKILL')
    },
  }
}
