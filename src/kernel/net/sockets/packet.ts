/**
 * Packet sockets: whole frames (SOCK_RAW), or what is behind the link's header (SOCK_DGRAM), of one device or all.
 * Linux 6.1 net/packet/af_packet.c: packet_rcv(), packet_snd(), packet_do_bind().
 */
import { NotModelled } from '#base/check'
import {
  fail,
  type Host,
  type MessageFlags,
  OK,
  ok,
  POLLERR,
  POLLIN,
  type Received,
  type SockAddr,
  type SysResult,
  WaitQueue,
} from '#kernel/core'
import { emitFrame, frameLength, type Packet, parseFrame } from '#wire/inet'
import { writeMac } from '#wire/link'
import { type NetDevice, PACKET_HOST, PACKET_OUTGOING } from '../device.ts'
import { deviceByIndex, netState, type Tap } from '../devices.ts'
import { deviceIoctl } from '../ioctl.ts'
import { inetState } from '../ip-state.ts'
import { truesize } from '../neighbour.ts'
import { type KernelSocket, ReceiveQueue } from './file.ts'
import { type SocketTables, socketTables } from './tables.ts'

const IFF_UP = 1
const PACKET_LOOPBACK = 5

/** What a filter says of a packet: whether, or how much of it, is wanted. */
/** What a frame with a length instead of a type counts as. Linux 6.1 net/ethernet/eth.c: eth_type_trans(). */
const ETH_P_802_2 = 4

export type PacketFilter = (packet: Packet, device: NetDevice) => boolean | number

interface Queued {
  /** A copy of the socket's own; its bytes are made when a program asks. */
  packet: Packet
  device: NetDevice
  packetType: number
  snap: number
  timeNs: number
}

export class PacketSocket implements KernelSocket {
  readonly domain = 'AF_PACKET'
  readonly type: 'SOCK_RAW' | 'SOCK_DGRAM'
  readonly host: Host
  readonly inode: number
  readonly tables: SocketTables
  readonly queue = new WaitQueue()
  readonly received = new ReceiveQueue<Queued>()
  protocol: number
  device: NetDevice | undefined = undefined
  /** It was bound to a device that has gone or is down. */
  error: 'ENETDOWN' | undefined = undefined
  auxdata = false
  ignoreOutgoing = false
  filter: PacketFilter | undefined = undefined
  receiveBuffer: number
  promiscuous: NetDevice[] = []
  #tap: Tap | undefined = undefined
  readonly #options = new Map<string, unknown>()
  #packets = 0
  #drops = 0

  constructor(host: Host, type: 'SOCK_RAW' | 'SOCK_DGRAM', protocol: number) {
    this.host = host
    this.type = type
    this.protocol = protocol
    this.tables = socketTables(inetState.of(host))
    this.inode = this.tables.nextInode++
    this.receiveBuffer = inetState.of(host).sysctls.rmemDefault
    this.tables.packet.unshift(this)
    if (protocol !== 0) this.#hook(true)
  }

  #hook(on: boolean): void {
    const net = netState.of(this.host)
    if (this.#tap) net.taps = net.taps.filter((tap) => tap !== this.#tap)
    this.#tap = undefined
    if (!on) return
    const { device, protocol } = this
    this.#tap = {
      device,
      protocol,
      receivePacket: (packet, at) => this.receivePacket(packet, at),
      deviceGone: () => this.deviceGone(),
    }
    net.taps = [...net.taps, this.#tap]
  }

  /** A packet passes a device. packet_rcv(). */
  receivePacket(packet: Packet, device: NetDevice): void {
    if (packet.packetType === PACKET_LOOPBACK) return
    if (packet.packetType === PACKET_OUTGOING && this.ignoreOutgoing) return
    let snap = Number.POSITIVE_INFINITY
    if (this.filter) {
      const verdict = this.filter(packet, device)
      if (verdict === false || verdict === 0) return
      if (typeof verdict === 'number') snap = verdict
    }
    const size = truesize(packet)
    if (this.received.memory >= this.receiveBuffer) {
      this.#packets++
      this.#drops++
      return
    }
    this.#packets++
    const { packetType } = packet
    this.received.push({ packet: packet.clone(), device, packetType, snap, timeNs: this.host.sim.nowNs }, size)
    this.queue.wake()
  }

  /** The device that it was bound to is no more. packet_notifier(). */
  deviceGone(): void {
    this.#hook(false)
    this.device = undefined
    this.error = 'ENETDOWN'
    this.queue.wake()
  }

  poll(): number {
    return (this.received.length > 0 ? POLLIN : 0) | (this.error ? POLLERR : 0)
  }

  bind(address: SockAddr): SysResult<void> {
    if (address.family !== 'AF_PACKET') return fail('EINVAL')
    const device = address.ifindex === 0 ? undefined : deviceByIndex(this.host, address.ifindex)
    if (address.ifindex !== 0 && !device) return fail('ENODEV')
    this.device = device
    if (address.protocol !== 0) this.protocol = address.protocol
    if (device && !(device.flags & IFF_UP)) {
      this.error = 'ENETDOWN'
      this.#hook(false)
    } else this.#hook(this.protocol !== 0)
    return OK
  }

  connect(): SysResult<void> {
    return fail('EOPNOTSUPP')
  }

  /** packet_snd(). */
  sendTo(bytes: Uint8Array, to: SockAddr | undefined, _flags: MessageFlags): SysResult<number> {
    let device = this.device
    let protocol = this.protocol
    let address: Uint8Array | undefined
    if (to !== undefined) {
      if (to.family !== 'AF_PACKET') return fail('EINVAL')
      protocol = to.protocol
      device = to.ifindex === 0 ? undefined : deviceByIndex(this.host, to.ifindex)
      address = to.address
    }
    if (!device) return fail('ENXIO')
    if (!(device.flags & IFF_UP)) return fail('ENETDOWN')
    let frame = bytes
    if (this.type === 'SOCK_DGRAM') {
      frame = new Uint8Array(bytes.length + 14)
      if (address && address.length >= 6) frame.set(address.subarray(0, 6))
      writeMac(frame, 6, device.address)
      frame[12] = protocol >>> 8
      frame[13] = protocol
      frame.set(bytes, 14)
    }
    if (frame.length > device.mtu + 18) return fail('EMSGSIZE')
    if (frame.length < 14) return fail('EINVAL')
    const packet = parseFrame(frame.slice())
    if (frameLength(packet) > device.mtu + (packet.vlanTci < 0 ? 14 : 18)) return fail('EMSGSIZE')
    packet.packetType = PACKET_HOST
    device.transmit(packet)
    return ok(bytes.length)
  }

  receive(length: number, flags: MessageFlags): SysResult<Received> {
    if (this.error) {
      const { error } = this
      this.error = undefined
      return fail(error)
    }
    if (flags.errorQueue) return fail('EAGAIN')
    const first = flags.peek ? this.received.peek() : this.received.shift()
    if (!first) return fail('EAGAIN')
    const { packet, device, packetType, snap } = first
    let bytes = emitFrame(packet)
    // A VLAN tag is taken off, and told of in the auxiliary data.
    if (packet.vlanTci >= 0) {
      const untagged = new Uint8Array(bytes.length - 4)
      untagged.set(bytes.subarray(0, 12))
      untagged.set(bytes.subarray(16), 12)
      bytes = untagged
    }
    if (this.type === 'SOCK_DGRAM') bytes = bytes.subarray(14)
    const whole = bytes.length
    const taken = Math.min(length, snap)
    const source = new Uint8Array(6)
    writeMac(source, 0, packet.macSrc)
    const control: Record<string, unknown> = {}
    if (this.auxdata) {
      control['PACKET_AUXDATA'] = {
        length: whole,
        snapLength: Math.min(whole, snap),
        vlanTci: Math.max(packet.vlanTci, 0),
        vlanValid: packet.vlanTci >= 0,
      }
    }
    return ok({
      bytes: bytes.length > taken ? bytes.subarray(0, taken) : bytes,
      length: whole,
      from: {
        family: 'AF_PACKET',
        protocol: packet.etherType < 0x600 ? ETH_P_802_2 : packet.etherType,
        ifindex: device.ifindex,
        hatype: device.looks.hardwareType,
        packetType,
        address: source,
      },
      timeNs: first.timeNs,
      control,
    })
  }

  localName(): SysResult<SockAddr> {
    const address = new Uint8Array(6)
    if (this.device) writeMac(address, 0, this.device.address)
    return ok({
      family: 'AF_PACKET',
      protocol: this.protocol,
      ifindex: this.device?.ifindex ?? 0,
      hatype: this.device?.looks.hardwareType ?? 0,
      packetType: 0,
      address,
    })
  }

  peerName(): SysResult<SockAddr> {
    return fail('EOPNOTSUPP')
  }

  ioctl(request: string, argument: unknown): SysResult<unknown> {
    return deviceIoctl(this.host, request, argument)
  }

  setOption(level: string, name: string, value: unknown): SysResult<void> {
    if (name === 'SO_ATTACH_FILTER') this.filter = value as PacketFilter
    else if (name === 'SO_DETACH_FILTER') this.filter = undefined
    else if (name === 'PACKET_AUXDATA') this.auxdata = Boolean(value)
    else if (name === 'PACKET_IGNORE_OUTGOING') this.ignoreOutgoing = Boolean(value)
    else if (name === 'PACKET_ADD_MEMBERSHIP' || name === 'PACKET_DROP_MEMBERSHIP') {
      return this.#membership(name === 'PACKET_ADD_MEMBERSHIP', value as { ifindex: number; type: string })
    } else if (name === 'SO_RCVBUF' || name === 'SO_RCVBUFFORCE') {
      const most = name === 'SO_RCVBUF' ? inetState.of(this.host).sysctls.rmemMax : 2 ** 30
      this.receiveBuffer = Math.max(2 * Math.min(Number(value), most), 2304)
    } else if (/^SO_(SNDBUF|TIMESTAMP|TIMESTAMPNS|RCVTIMEO|SNDTIMEO|BROADCAST|MARK|PRIORITY)$/.test(name)) {
      this.#options.set(name, value)
    } else throw new NotModelled(`setsockopt(${level}, ${name}) of a packet socket`)
    return OK
  }

  #membership(add: boolean, request: { ifindex: number; type: string }): SysResult<void> {
    const device = deviceByIndex(this.host, request.ifindex)
    if (!device) return fail('ENODEV')
    if (request.type === 'PACKET_MR_PROMISC') {
      const at = this.promiscuous.indexOf(device)
      if (add) {
        this.promiscuous.push(device)
        device.changePromiscuity(1)
      } else if (at >= 0) {
        this.promiscuous.splice(at, 1)
        device.changePromiscuity(-1)
      } else return fail('EADDRNOTAVAIL')
      return OK
    }
    if (request.type === 'PACKET_MR_ALLMULTI') device.changeAllmulti(add ? 1 : -1)
    return OK
  }

  getOption(level: string, name: string): SysResult<unknown> {
    if (name === 'PACKET_STATISTICS') {
      const statistics = { packets: this.#packets, drops: this.#drops }
      this.#packets = this.#drops = 0
      return ok(statistics)
    }
    if (name === 'SO_ERROR') return ok(0)
    if (name === 'SO_RCVBUF') return ok(this.receiveBuffer)
    if (name === 'SO_TYPE') return ok(this.type)
    if (this.#options.has(name)) return ok(this.#options.get(name))
    throw new NotModelled(`getsockopt(${level}, ${name}) of a packet socket`)
  }

  release(): void {
    this.#hook(false)
    for (const device of this.promiscuous) device.changePromiscuity(-1)
    this.promiscuous = []
    const at = this.tables.packet.indexOf(this)
    if (at >= 0) this.tables.packet.splice(at, 1)
  }
}
