/** What `ip -d link` says of tun and tap devices. iproute2 6.1 ip/iplink_tuntap.c */
import { showFields } from './fields.ts'
import type { LinkType } from './type.ts'

export const tun: LinkType = {
  help: 'Usage: ... tun\n',
  print(session, data) {
    const { out } = session
    const onOff = (key: string) => out.field(key, data[key] === true, `${key} ${data[key] ? 'on' : 'off'} `)
    out.field('type', String(data['type']), `type ${data['type']} `)
    onOff('pi')
    onOff('vnet_hdr')
    out.field('multi_queue', data['multi_queue'] === true, data['multi_queue'] ? 'multi_queue ' : '')
    showFields(session, data, [{ key: 'numqueues' }, { key: 'numdisabled' }])
    onOff('persist')
    showFields(session, data, [{ key: 'user' }, { key: 'group' }])
  },
}
