/**
 * nf_tables, with iptables' matches and targets; the programs iptables and nft.
 *
 *     netfilter.install(image)
 *     // then, on a host: iptables -A INPUT -p tcp --dport 22 -j ACCEPT; nft list ruleset
 */
export type { Expression, Family, Load, Value, Verdict, XtInfo } from './expressions.ts'
export { iptablesMain } from './iptables/main.ts'
export type { NftCommand, NftError, NftRequest, TableMessage } from './messages.ts'
export { nfTables } from './objects.ts'
export { netfilter } from './room.ts'
export {
  addExtensions,
  type Extension,
  XtError,
  type XtMatch,
  type XtOption,
  type XtParse,
  type XtPrint,
  type XtTarget,
  xtTable,
} from './xt/extension.ts'
