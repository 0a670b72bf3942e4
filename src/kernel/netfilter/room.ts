/** The room `kernel/netfilter`: what it installs in an image. */
import { NotModelled } from '#base/check'
import type { Body, Host, KernelImage, NetlinkAnswer, Room } from '#kernel/core'
import { arptablesMain, arptablesSaveMain } from './arptables/main.ts'
import { mangle } from './arptables/mangle.ts'
import { dumpTables } from './dump.ts'
import { installInside } from './inside.ts'
import { iptablesMain } from './iptables/main.ts'
import { restoreMain, saveMain } from './iptables/save-restore.ts'
import type { NftRequest } from './messages.ts'
import { nftMain } from './nft/main.ts'
import { nfTables } from './objects.ts'
import { Transaction } from './transaction.ts'
import { comment, connmark, limit, mark, multiport } from './xt/basic-matches.ts'
import { CONNMARK, LOG, MARK, REJECT } from './xt/basic-targets.ts'
import { CLUSTERIP } from './xt/clusterip.ts'
import { conntrack, state } from './xt/conntrack.ts'
import { addExtensions } from './xt/extension.ts'
import { hashlimit } from './xt/hashlimit.ts'
import { icmp } from './xt/icmp.ts'
import { CLASSIFY, CT, DSCP, NOTRACK, TCPMSS, TEE, TOS, TTL } from './xt/more-targets.ts'
import { DNAT, MASQUERADE, NETMAP, REDIRECT, SNAT } from './xt/nat-targets.ts'
import { addrtype, dscp, iprange, length, mac, pkttype, string, tcpmss, tos, ttl, u32 } from './xt/packet-matches.ts'
import { installRecent, recent } from './xt/recent.ts'
import { cluster, connlimit, owner, physdev, statistic } from './xt/state-matches.ts'
import { sctp, tcp, udp } from './xt/tcp-udp.ts'

function batch(host: Host, message: unknown): NetlinkAnswer {
  const request = message as NftRequest & { type: 'NFT_BATCH' }
  const errors = new Transaction(nfTables.of(host)).run(request.commands, request.check)
  return { ok: true, messages: [{ errors }] }
}

function getRuleset(host: Host, message: unknown): NetlinkAnswer {
  const request = message as NftRequest & { type: 'NFT_GETRULESET' }
  const state = nfTables.peek(host)
  return { ok: true, messages: state ? dumpTables(state, request.family) : [] }
}

export const netfilter: Room = {
  name: 'kernel/netfilter',
  needs: ['kernel/conntrack'],
  install(image: KernelImage) {
    image.netlink('NFT_BATCH', batch)
    image.netlink('NFT_GETRULESET', getRuleset)
    addExtensions(image, [tcp, udp, sctp, icmp, conntrack, state, comment, mark, connmark, limit, multiport])
    addExtensions(image, [REJECT, LOG, MARK, CONNMARK, SNAT, DNAT, MASQUERADE, REDIRECT, NETMAP])
    addExtensions(image, [addrtype, dscp, iprange, length, mac, pkttype, string, tcpmss, tos, ttl, u32])
    addExtensions(image, [recent, hashlimit, statistic, owner, physdev, connlimit, cluster])
    addExtensions(image, [CLASSIFY, CLUSTERIP, CT, DSCP, NOTRACK, TCPMSS, TEE, TOS, TTL])
    addExtensions(image, [mangle])
    installRecent(image)
    installInside(image)
    image.program({ name: 'nft', paths: ['/usr/sbin/nft'], main: nftMain(image) })
    for (const name of ['iptables', 'iptables-nft']) {
      image.program({ name, paths: [`/usr/sbin/${name}`], main: iptablesMain(image, 'iptables') })
    }
    for (const name of [
      'iptables-legacy',
      'iptables-legacy-save',
      'iptables-legacy-restore',
      'ip6tables',
      'ip6tables-save',
      'ip6tables-restore',
      'ebtables',
      'arptables-restore',
    ]) {
      image.program({
        name,
        paths: [`/usr/sbin/${name}`],
        main: function* (): Body<number> {
          throw new NotModelled(name)
        },
      })
    }
    for (const name of ['arptables', 'arptables-nft']) {
      image.program({ name, paths: [`/usr/sbin/${name}`], main: arptablesMain(image) })
    }
    for (const name of ['arptables-save', 'arptables-nft-save']) {
      image.program({ name, paths: [`/usr/sbin/${name}`], main: arptablesSaveMain(image) })
    }
    for (const name of ['iptables-save', 'iptables-nft-save']) {
      image.program({ name, paths: [`/usr/sbin/${name}`], main: saveMain(image) })
    }
    for (const name of ['iptables-restore', 'iptables-nft-restore']) {
      image.program({ name, paths: [`/usr/sbin/${name}`], main: restoreMain(image) })
    }
  },
}
