/** What `ip` knows of one kind of link: the words behind `type KIND`, and how its data is shown with -d. */
import type { LinkFields } from '#kernel/net'
import type { Session } from '../session.ts'
import { Refusal, type Words } from '../words.ts'

/** IFLA_INFO_DATA, by names that the kernel's room and the tool agree on. */
export type LinkData = Record<string, unknown>

/** What `ip link set` and `add` can say; a kind may add to it (`link`). */
export interface LinkWords extends Omit<LinkFields, 'address' | 'broadcast'> {
  device?: string
  addressGiven?: number[]
  broadcastGiven?: number[]
  /** The words behind `type KIND`. */
  kindWords?: Words
  /** The name of IFLA_LINK's device. */
  linkName?: string
  /** `netns`: a name or a process. */
  netns?: string
  linkNetns?: string
}

export interface LinkType {
  /** Reads the words behind `type KIND`, to the last. Absent: they are not looked at. iproute2: link_util.parse_opt */
  parse?(words: Words, session: Session, given: LinkWords): LinkData
  /** Shows the data. link_util.print_opt */
  print?(session: Session, data: LinkData): void
  /** link_util.print_xstats */
  printXstats?(session: Session, data: LinkData): void
  /** `ip link help KIND`, and what `type KIND help` says. */
  help: string
}

/** A word that a kind doesn't know. */
export function unknownWord(kind: string, word: string, help: string): Refusal {
  return new Refusal(`${kind}: unknown command "${word}"?\n${help}`, 1)
}
