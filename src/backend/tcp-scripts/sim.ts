/** Plays scripts on the simulated kernel: one host with one card, whose cable ends here. */
import { decodeUtf8, encodeUtf8 } from '#base/bytes'
import { assert, type NotModelled } from '#base/check'
import { Simulator } from '#base/sim'
import {
  createHost,
  type KernelHost,
  type MessageFlags,
  type OpenFile,
  type SockAddr,
  type SysResult,
} from '#kernel/core'
import { type CableEnd, createEthernet, type NetDevice, type NetRequest } from '#kernel/net'
import { createDebian12 } from '#lab/catalogue'
import { emitFrame, type Packet, parseFrame } from '#wire/inet'
import { errnoName, infoText, OPTIONS, pollText, TCP_STATES } from './calls.ts'
import { type LiveFlow, learnFlow, liveFlows, type SentFrame } from './decode.ts'
import { BASE_SYSCTLS, type Outcome } from './program.ts'
import { type CallStep, type InjectStep, type InputStep, inputsOf, type Script, ScriptError } from './script.ts'
import { finishChecksum, patternByte } from './segment.ts'

const LOCAL = 0x0a000001
const PEER = 0x0a000002
const LOCAL_MAC = 0x020000000100
const PEER_MAC = 0x020000000200

/** Jiffies begin five minutes before a multiple of 2^32; a script, a millisecond behind a multiple of 4096 (agent.pl). */
const ZERO_NS = 300e9 + 1e6

let image: ReturnType<typeof createDebian12> | undefined

interface SimSocket {
  file: OpenFile
  /** Where its streams stand, for the pattern of bytes. */
  sent: number
  got: number
}

/** Plays one script on a host of its own. */
export async function runSimulated(script: Script): Promise<Outcome> {
  return new Player(script).play()
}

/** A script's host while it is played: `random.ts` makes up the script as it goes. */
export class Player {
  readonly #script: Script
  readonly #sim = new Simulator(1)
  readonly #host: KernelHost
  readonly #device: NetDevice
  readonly #flows: LiveFlow[]
  readonly #sockets = new Map<string, SimSocket>()
  readonly #outcome: Outcome = { results: new Map(), frames: [] }

  constructor(script: Script) {
    this.#script = script
    this.#flows = liveFlows(script.flows)
    image ??= createDebian12()
    this.#host = createHost({ sim: this.#sim, image, name: 'kernel', number: 1, startS: 1_767_225_600 })
    const problems: NotModelled[] = []
    this.#host.onNotModelled = (why) => problems.push(why)
    for (const [name, value] of [...BASE_SYSCTLS, ...script.sysctls]) {
      const failed = this.#sysctl(name, value)
      if (failed !== '0') throw new ScriptError(`${script.file}: sysctl ${name} = ${value}: ${failed}`)
    }
    this.#device = createEthernet(this.#host, 'eth0', LOCAL_MAC)
    const end: CableEnd = { carrier: true, transmit: (packet) => this.#sent(packet) }
    this.#device.attach(end)
    this.#request({ type: 'RTM_SETLINK', name: 'lo', flags: 1, change: 1 })
    if (script.mtu !== 1500) this.#request({ type: 'RTM_SETLINK', name: 'eth0', mtu: script.mtu } as NetRequest)
    const ifindex = this.#device.ifindex
    this.#request({
      type: 'RTM_NEWADDR',
      family: 'AF_INET',
      ifindex,
      local: LOCAL,
      prefix: 24,
      broadcast: 0x0a0000ff,
      create: true,
      exclusive: true,
    })
    this.#request({ type: 'RTM_SETLINK', name: 'eth0', flags: 1, change: 1 })
    this.#request({
      type: 'RTM_NEWNEIGH',
      family: 'AF_INET',
      ifindex,
      dst: PEER,
      lladdr: PEER_MAC,
      state: 'PERMANENT',
      create: true,
    } as NetRequest)
  }

  play(): Outcome {
    this.advance(0)
    this.#outcome.frames.length = 0
    inputsOf(this.#script).forEach((step, index) => {
      const result = this.perform(step)
      if (result !== undefined) this.#outcome.results.set(index, result)
    })
    this.#host.powerOff()
    return this.#outcome
  }

  /** What the kernel has sent so far. */
  get frames(): readonly SentFrame[] {
    return this.#outcome.frames
  }

  get flows(): readonly LiveFlow[] {
    return this.#flows
  }

  /** Lets time pass up to a moment of the script's, or until the kernel sends something. */
  advance(atNs: number, untilSent = false): void {
    const before = this.#outcome.frames.length
    this.#sim.run(ZERO_NS + atNs, untilSent ? () => this.#outcome.frames.length > before : undefined)
  }

  /** Does a step when its time has come; a call's result. */
  perform(step: InputStep): string | undefined {
    this.advance(step.atNs)
    if (step.kind === 'call') return this.#call(step)
    this.#inject(step)
    return undefined
  }

  #request(message: NetRequest): void {
    const handler = this.#host.image.netlinkHandlers.get(message.type)
    assert(handler, `nobody answers ${message.type}`)
    const answer = handler(this.#host, message)
    if (!answer.ok) throw new Error(`${message.type}: ${answer.extack ?? answer.errno}`)
  }

  #sysctl(name: string, value: string): string {
    const file = this.#host.openPath(`/proc/sys/${name.replaceAll('.', '/')}`, 1)
    const written = file?.write(encodeUtf8(`${value}\n`))
    file?.release?.()
    return !written ? 'no such setting' : written.ok ? '0' : written.errno
  }

  #sent(packet: Packet): void {
    const frame = { atNs: this.#sim.nowNs - ZERO_NS, bytes: emitFrame(packet).slice() }
    this.#outcome.frames.push(frame)
    learnFlow(this.#flows, frame)
  }

  /** What only now is known is put in; the agent's inject() does the same. */
  #inject({ segment, atNs }: InjectStep): void {
    const flow = this.#flows.find(({ name }) => name === segment.flow)!
    flow.localPort ||= flow.declaredPort
    const { bytes, patches } = segment.template(flow.localPort, flow.peerPort, Math.floor(atNs / 1e6))
    const view = new DataView(bytes.buffer)
    for (const { what, at } of patches) {
      if (what === 'p') view.setUint16(at, flow.localPort)
      else {
        const more = what === 'i' ? flow.isn : what === 't' ? flow.base : flow.last
        view.setUint32(at, (view.getUint32(at) + (more ?? 0)) >>> 0)
      }
    }
    finishChecksum(bytes, segment.checksum)
    this.#device.receive(parseFrame(bytes))
  }

  #call(step: CallStep): string {
    const [name, second, third] = step.arguments as [string, string, string]
    if (step.name === 'end') return '0'
    if (step.name === 'sysctl') {
      const [, setting, value] = /^([^=]+)=(.*)$/.exec(step.arguments.join(' ')) ?? []
      return this.#sysctl(setting!, value!)
    }
    if (step.name === 'counters') return this.#counters(step.arguments)
    if (step.name === 'sockets') return this.#states()
    if (step.name === 'socket') {
      const made = this.#host.image.families.get('AF_INET')!(this.#host, 'SOCK_STREAM', 0)
      if (!made.ok) return made.errno
      made.value.references++
      this.#sockets.set(name, { file: made.value, sent: 0, got: 0 })
      return '0'
    }
    const one = this.#sockets.get(name)
    if (!one) return '?'
    const { file } = one
    const socket = file.socket!
    const plain = (result: SysResult<unknown>) => (result.ok ? '0' : result.errno)
    switch (step.name) {
      case 'bind':
        return plain(socket.bind({ family: 'AF_INET', address: 0, port: Number(second) }))
      case 'listen':
        return plain(socket.listen!(Number(second)))
      case 'connect':
        return plain(socket.connect({ family: 'AF_INET', address: PEER, port: Number(second) }))
      case 'disconnect':
        return plain(socket.connect({ family: 'AF_UNSPEC' }))
      case 'accept': {
        const got = socket.accept!()
        if (!got.ok) return got.errno
        got.value.file.references++
        this.#sockets.set(second, { file: got.value.file, sent: 0, got: 0 })
        return String((got.value.from as SockAddr & { port: number }).port)
      }
      case 'send': {
        const bytes = Uint8Array.from({ length: Number(second) }, (_, i) => patternByte(one.sent + i))
        const done = socket.sendTo(bytes, undefined, flagsOf(step))
        if (!done.ok) return done.errno
        one.sent += done.value
        return String(done.value)
      }
      case 'recv': {
        const flags = flagsOf(step)
        const got = socket.receive(Number(second), flags)
        if (!got.ok) return got.errno
        const { bytes } = got.value
        const good = flags.oob || bytes.every((byte, i) => byte === patternByte(one.got + i))
        if (!flags.peek && !flags.oob) one.got += bytes.length
        return `${bytes.length}${good ? '' : ' other bytes'}`
      }
      case 'close':
        this.#sockets.delete(name)
        file.references--
        file.release?.()
        return '0'
      case 'shutdown':
        return plain(socket.shutdown!(second.toUpperCase() as 'RD' | 'WR' | 'RDWR'))
      case 'poll':
        return pollText(file.poll() & 0x201f)
      case 'unread':
      case 'unsent': {
        const answer = file.ioctl!(step.name === 'unread' ? 'SIOCINQ' : 'SIOCOUTQ', undefined)
        return answer.ok ? String(answer.value) : answer.errno
      }
      case 'set':
        return plain(socket.setOption(this.#level(step), second, optionValue(second, third)))
      case 'get': {
        const got = socket.getOption(this.#level(step), second)
        if (!got.ok) return got.errno
        if (second === 'SO_ERROR') {
          const error = got.value
          return typeof error === 'string' ? error : Number(error ?? 0) === 0 ? '0' : errnoName(Number(error))
        }
        if (second === 'SO_LINGER') {
          const { on, seconds } = got.value as { on: boolean; seconds: number }
          return on ? String(seconds) : 'off'
        }
        return typeof got.value === 'boolean' ? String(Number(got.value)) : String(got.value)
      }
      case 'memory': {
        const got = socket.getOption('SOL_SOCKET', 'SO_MEMINFO')
        if (!got.ok) return got.errno
        const words = got.value as number[]
        return `${words[0]}/${words[1]} ${words[5]}/${words[3]}`
      }
      case 'info': {
        const got = socket.getOption('IPPROTO_TCP', 'TCP_INFO')
        if (!got.ok) return got.errno
        return step.arguments
          .slice(1)
          .map((field) => infoText(field, infoField(got.value as Info, field)))
          .join(' ')
      }
    }
    throw new ScriptError(`${this.#script.file}:${step.line}: ${step.name} isn't made yet`)
  }

  #level(step: CallStep): string {
    const option = OPTIONS[step.arguments[1]!]
    if (!option) throw new ScriptError(`${this.#script.file}:${step.line}: no such option: ${step.arguments[1]}`)
    return option.levelName
  }

  #read(path: string): string[] {
    return decodeUtf8(this.#host.readFile(path) ?? new Uint8Array(0)).split('\n')
  }

  #counters(names: string[]): string {
    const values = new Map<string, string>()
    for (const file of ['snmp', 'netstat']) {
      const heads = new Map<string, string[]>()
      for (const line of this.#read(`/proc/net/${file}`)) {
        const [group, ...words] = line.split(/:? /)
        const head = heads.get(group!)
        if (head) head.forEach((name, i) => values.set(`${group}${name}`, words[i] ?? '?'))
        else heads.set(group!, words)
      }
    }
    return names.map((name) => values.get(name) ?? '?').join(' ')
  }

  #states(): string {
    const counts = new Map<string, number>()
    for (const line of this.#read('/proc/net/tcp')) {
      const [, state] = /^\s*\d+: \S+ \S+ ([0-9A-F]{2}) /.exec(line) ?? []
      if (state === undefined) continue
      const name = TCP_STATES[Number.parseInt(state, 16)] ?? '?'
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    const texts = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, n]) => (n > 1 ? `${name}*${n}` : name))
    return texts.join(' ') || 'none'
  }
}

function flagsOf(step: CallStep): MessageFlags & { oob?: boolean; more?: boolean } {
  const names = new Set(step.arguments.slice(2))
  return {
    dontWait: true,
    noSignal: true,
    ...(names.has('MSG_PEEK') ? { peek: true } : {}),
    ...(names.has('MSG_OOB') ? { oob: true } : {}),
    ...(names.has('MSG_MORE') ? { more: true } : {}),
  }
}

function optionValue(name: string, text: string): unknown {
  if (name === 'TCP_CONGESTION') return text
  if (name === 'SO_LINGER') return text === 'off' ? { on: false, seconds: 0 } : { on: true, seconds: Number(text) }
  return Number(text)
}

type Info = Record<string, number | boolean>

/** A field by its name in struct tcp_info. */
function infoField(info: Info, name: string): number {
  const bit = (field: string, value: number) => (info[field] ? value : 0)
  switch (name) {
    case 'options':
      return bit('timestamps', 1) | bit('sack', 2) | bit('wscale', 4) | bit('ecn', 8) | bit('ecnSeen', 16)
    case 'wscale':
      return Number(info['sndWscale']) | (Number(info['rcvWscale']) << 4)
    case 'cwnd':
      return Number(info['sndCwnd'])
    case 'ssthresh':
      return Number(info['sndSsthresh'])
    case 'rcv_ooopack':
      return Number(info['rcvOooPack'])
  }
  return Number(info[name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())] ?? Number.NaN)
}
