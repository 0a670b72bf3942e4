/**
 * An xt match or target: what libxtables knows of it (options, how it is printed, saved and translated for nft) and what the
 * kernel does with it. Both stand in one file each, because they change together; the program only uses the one half and
 * the kernel the other, and what passes between them is `XtInfo`.
 */
import type { Host, KernelImage } from '#kernel/core'
import type { HookContext, HookName } from '#kernel/net'
import type { Expression, Family, XtInfo } from '../expressions.ts'

/** One option as getopt_long knows it. */
export interface XtOption {
  name: string
  /** Whether it takes a value; `optional` only glued on. */
  value: 'none' | 'required' | 'optional'
  /** Whether `!` may stand before it. */
  invert?: boolean
  /** The option may be given several times. */
  multi?: boolean
  mandatory?: boolean
  /** Names of options that exclude this one. */
  excludes?: string[]
}

/** Thrown for what a user got wrong: the text as the tool prints it after its name and version. */
export class XtError extends Error {
  override readonly name = 'XtError'
  readonly status: number
  /** Whether `Try ... for more information` follows. */
  readonly hint: boolean
  constructor(text: string, status = 2, hint = true) {
    super(text)
    this.status = status
    this.hint = hint
  }
}

/** What a rule says besides its extensions. */
export interface RuleBasics {
  family: Family
  protocol: number
  protocolInverted: boolean
}

/** What the program knows while it reads a rule. */
export interface XtParse {
  basics: RuleBasics
  table: string
  chain: string
  /** For service and host names; undefined if there is none. */
  service(name: string, protocol: string | undefined): number | undefined
  user(name: string): number | undefined
  group(name: string): number | undefined
  host(name: string): number[] | undefined
  /** What a set is (#kernel/ipset). */
  netlink(message: { type: string }): import('#kernel/core').NetlinkAnswer
}

/** How a rule is printed. */
export interface XtPrint {
  numeric: boolean
  serviceName(port: number, protocol: string): string | undefined
  userName(uid: number): string | undefined
  groupName(gid: number): string | undefined
  basics: RuleBasics
  netlink(message: { type: string }): import('#kernel/core').NetlinkAnswer
}

/** What the kernel knows when a rule comes in. */
export interface XtCheck {
  host: Host
  family: Family
  table: string
  /** The hooks from which the rule's chain can be reached; undefined while it can't be. */
  hooks: readonly HookName[]
  basics: RuleBasics
  /** pr_info() and the like: into the kernel's log. */
  log(text: string): void
}

export type XtMatchRun = (context: HookContext) => boolean | 'drop'
export type XtTargetRun = (context: HookContext) => number

interface XtCommon<State> {
  name: string
  revision: number
  /** Of iptables -h, what comes below `NAME match options:`; whole, as the library prints it. */
  help: string
  options: XtOption[]
  families?: readonly Family[]
  init?(): State
  /** One option's value. */
  parse(state: State, option: string, value: string, inverted: boolean, with_: XtParse): void
  /** After all options: what the kernel gets. */
  finish(state: State, seen: ReadonlySet<string>, with_: XtParse): XtInfo
  print(info: XtInfo, with_: XtPrint): string
  save(info: XtInfo, with_: XtPrint): string
  /** For nft; undefined: it can't be said, or there is no translation. */
  translate?(info: XtInfo, with_: XtPrint): string | undefined
  /** Its errno name, if the kernel refuses the rule. */
  check?(info: XtInfo, with_: XtCheck): 'EINVAL' | 'ENOENT' | 'ERANGE' | 'EPROTONOSUPPORT' | 'EOPNOTSUPP' | undefined
  /** The protocol that it belongs to, as `-p udp` loads `udp`. */
  protocol?: number
}

// biome-ignore lint/suspicious/noExplicitAny: each extension's state is its own affair.
export interface XtMatch<State = any> extends XtCommon<State> {
  kind: 'match'
  /** What it becomes instead of an xt expression, where iptables-nft says it natively. */
  native?(info: XtInfo): Expression[] | undefined
  run(info: XtInfo, host: Host, keep: XtKeep): XtMatchRun
}

// biome-ignore lint/suspicious/noExplicitAny: as above.
export interface XtTarget<State = any> extends XtCommon<State> {
  kind: 'target'
  /** The only table that it may be in. */
  run(info: XtInfo, host: Host, keep: XtKeep): XtTargetRun
}

export type Extension = XtMatch | XtTarget

/** Where a rule's extension says what must be undone when the rule goes. */
export interface XtKeep {
  onRelease(run: () => void): void
}

/** All extensions of an image, by kind and name. */
export interface XtTable {
  matches: Map<string, XtMatch>
  targets: Map<string, XtTarget>
}

/** The extensions that an image has; rooms add theirs. */
export function xtTable(image: KernelImage): XtTable {
  return image.slot('xt extensions', () => ({ matches: new Map(), targets: new Map() }))
}

export function addExtensions(image: KernelImage, extensions: readonly Extension[]): void {
  const table = xtTable(image)
  for (const extension of extensions) {
    if (extension.kind === 'match') table.matches.set(extension.name, extension)
    else table.targets.set(extension.name, extension)
  }
}
