/** `iptables -L` and `-S`: rules and chains as text. iptables 1.8.9 iptables/xshared.c: print_rule_details(), save_ipv4_addr(). */
import { NotModelled } from '#base/check'
import type { KernelImage, NetlinkAnswer } from '#kernel/core'
import { formatIpv4, prefixOf } from '#wire/inet'
import { type XtPrint, type XtTable, xtTable } from '../xt/extension.ts'
import type { Names } from './names.ts'
import type { AddressMatch, IptablesRule } from './rule.ts'

export interface PrintOptions {
  numeric: boolean
  verbose: boolean
  exact: boolean
  lineNumbers: boolean
}

/** What printing needs: the extensions, and names. */
export class Printer {
  readonly #xt: XtTable
  readonly #names: Names
  readonly options: PrintOptions
  readonly #netlink: (message: { type: string }) => NetlinkAnswer

  constructor(
    image: KernelImage,
    names: Names,
    options: PrintOptions,
    netlink: (message: { type: string }) => NetlinkAnswer,
  ) {
    this.#xt = xtTable(image)
    this.#names = names
    this.options = options
    this.#netlink = netlink
  }

  #context(rule: IptablesRule): XtPrint {
    const names = this.#names
    return {
      numeric: this.options.numeric,
      serviceName: (port, protocol) => names.serviceName(port, protocol),
      userName: (uid) => (uid === 0 ? 'root' : undefined),
      groupName: (gid) => (gid === 0 ? 'root' : undefined),
      basics: { family: 'ip', protocol: rule.protocol, protocolInverted: rule.protocolInverted },
      netlink: this.#netlink,
    }
  }

  /** The two lines above a chain's rules. */
  header(
    name: string,
    policy: string | undefined,
    counters: { packets: number; bytes: number },
    references: number,
  ): string {
    const { verbose, lineNumbers, exact } = this.options
    let text = `Chain ${name}`
    if (policy !== undefined) {
      text += ` (policy ${policy}`
      if (verbose)
        text += ` ${this.#count(counters.packets, 'header')} packets, ${this.#count(counters.bytes, 'header')} bytes`
      text += ')\n'
    } else text += ` (${references} references)\n`
    if (lineNumbers) text += 'num  '
    if (verbose) text += exact ? '    pkts      bytes ' : ' pkts bytes '
    text += 'target     prot opt '
    if (verbose) text += 'in     out     '
    return `${text}source               destination         \n`
  }

  /** A counter: whole with -x, else in K, M, G, T. xtables_print_num(). */
  #count(value: number, where: 'header' | 'column'): string {
    if (this.options.exact) return where === 'header' ? String(value) : `${String(value).padStart(8)} `
    let text = String(value)
    const width = 5
    let suffix = ''
    if (value > 99999) {
      let number = Math.floor((value + 500) / 1000)
      suffix = 'K'
      for (const next of ['M', 'G', 'T']) {
        if (number <= 9999) break
        number = Math.floor((number + 500) / 1000)
        suffix = next
      }
      text = String(number)
    }
    if (where === 'header') return text + suffix
    return suffix === '' ? `${text.padStart(width)} ` : `${text.padStart(width - 1)}${suffix} `
  }

  /** One line of -L. */
  rule(rule: IptablesRule, number: number): string {
    const { numeric, verbose, lineNumbers } = this.options
    let text = lineNumbers ? `${String(number).padEnd(4)} ` : ''
    if (verbose) text += this.#count(rule.packets, 'column') + this.#count(rule.bytes, 'column')
    const { target } = rule
    const name =
      target.kind === 'verdict'
        ? target.verdict
        : target.kind === 'chain'
          ? target.chain
          : target.kind === 'xt'
            ? shownTarget(target.name)
            : ''
    text += `${name.padEnd(9)} `
    text += rule.protocolInverted ? '!' : ' '
    const protocol = numeric ? undefined : this.#names.protocolName(rule.protocol)
    text += `${(protocol ?? String(rule.protocol)).padEnd(4)} `
    const fragment = rule.fragment ? (rule.fragmentInverted ? '!f' : '-f') : '--'
    text += verbose ? `${fragment}  ` : `${fragment} `
    if (verbose) {
      const any = numeric ? '*' : 'any'
      const device = (one: string, inverted: boolean) => (inverted ? '!' : '') + (one === '' ? any : one)
      text += `${device(rule.in, rule.inInverted).padEnd(6)} ${device(rule.out, rule.outInverted).padEnd(6)} `
    }
    text += `${this.#address(rule.src)} ${this.#address(rule.dst)} `
    if (target.kind === 'chain' && target.goto) text += '[goto] '
    const context = this.#context(rule)
    for (const { name: match, info } of rule.matches) text += this.#match(match).print(info, context)
    if (target.kind === 'xt') text += this.#target(target.name).print(target.info, context)
    return `${text}\n`
  }

  /** One line as -v tells of a change. FMT_PRINT_RULE. */
  line(rule: IptablesRule): string {
    const { target } = rule
    const name =
      target.kind === 'verdict'
        ? target.verdict
        : target.kind === 'chain'
          ? target.chain
          : target.kind === 'xt'
            ? shownTarget(target.name)
            : ''
    const protocol = this.#names.protocolName(rule.protocol) ?? String(rule.protocol)
    const fragment = rule.fragment ? (rule.fragmentInverted ? '!f' : '-f') : '--'
    const device = (one: string, inverted: boolean) => (inverted ? '!' : '') + (one === '' ? '*' : one)
    const address = ({ address, mask, inverted }: AddressMatch) =>
      `${inverted ? '!' : ''}${formatIpv4(address)}${maskSuffix(mask)}`
    let text = `${name} ${rule.protocolInverted ? '!' : ' '}${protocol} opt ${fragment} `
    text += `in ${device(rule.in, rule.inInverted)} out ${device(rule.out, rule.outInverted)}  `
    text += `${address(rule.src)}  -> ${address(rule.dst)}  `
    if (target.kind === 'chain' && target.goto) text += '[goto] '
    const context = { ...this.#context(rule), numeric: true }
    for (const { name: match, info } of rule.matches) text += this.#match(match).print(info, context)
    if (target.kind === 'xt') text += this.#target(target.name).print(target.info, context)
    return `${text}\n`
  }

  #match(name: string) {
    const match = this.#xt.matches.get(name)
    if (!match) throw new NotModelled(`iptables: match ${name}`)
    return match
  }

  #target(name: string) {
    const target = this.#xt.targets.get(name)
    if (!target) throw new NotModelled(`iptables: target ${name}`)
    return target
  }

  #address({ address, mask, inverted }: AddressMatch): string {
    const { numeric } = this.options
    const not = inverted ? '!' : ' '
    if (mask === 0 && !inverted) return `${not}${(numeric ? '0.0.0.0/0' : 'anywhere').padEnd(19)}`
    const host = numeric
      ? formatIpv4(address)
      : mask === 0xffffffff
        ? this.#names.addressName(address)
        : this.#names.networkName(address)
    return `${not}${(host + maskSuffix(mask)).padEnd(19)}`
  }

  /** A rule as -S and iptables-save write it. */
  save(chain: string, rule: IptablesRule, counters: 'none' | 'before' | 'options'): string {
    let text = counters === 'before' ? `[${rule.packets}:${rule.bytes}] ` : ''
    text += `-A ${chain}`
    text += saveAddress('-s', rule.src) + saveAddress('-d', rule.dst)
    if (rule.in !== '') text += `${rule.inInverted ? ' !' : ''} -i ${rule.in}`
    if (rule.out !== '') text += `${rule.outInverted ? ' !' : ''} -o ${rule.out}`
    if (rule.protocol !== 0) {
      text += `${rule.protocolInverted ? ' !' : ''} -p ${this.#names.protocolName(rule.protocol) ?? rule.protocol}`
    }
    if (rule.fragment) text += `${rule.fragmentInverted ? ' !' : ''} -f`
    const context = { ...this.#context(rule), numeric: true }
    for (const { name, info } of rule.matches) text += ` -m ${name}${this.#match(name).save(info, context)}`
    if (counters === 'options') text += ` -c ${rule.packets} ${rule.bytes}`
    const { target } = rule
    if (target.kind === 'verdict') text += ` -j ${target.verdict}`
    else if (target.kind === 'chain') text += ` -${target.goto ? 'g' : 'j'} ${target.chain}`
    else if (target.kind === 'xt') text += ` -j ${target.name}${this.#target(target.name).save(target.info, context)}`
    return `${text}\n`
  }
}

/** NOTRACK is listed as what it is made of. */
function shownTarget(name: string): string {
  return name === 'NOTRACK' ? 'CT' : name
}

function maskSuffix(mask: number): string {
  const prefix = prefixOf(mask)
  return prefix === 32 ? '' : `/${prefix ?? formatIpv4(mask)}`
}

function saveAddress(option: string, { address, mask, inverted }: AddressMatch): string {
  if (mask === 0 && address === 0 && !inverted) return ''
  return `${inverted ? ' !' : ''} ${option} ${formatIpv4(address)}/${prefixOf(mask) ?? formatIpv4(mask)}`
}
