/**
 * Heartbeat 3.0.6: nodes that tell each other that they live, and take over resources from those that don't.
 *
 *     heartbeat.install(image)
 *     // then, on two hosts: write /etc/ha.d/{ha.cf,haresources,authkeys}, and `service heartbeat start`
 */
import { type Body, lazyMain, type Room, type Sys } from '#kernel/core'
import type { Script } from './script.ts'

export const heartbeat: Room = {
  name: 'user/heartbeat',
  needs: [],
  install(image) {
    const program = (name: string, paths: string[], load: () => Promise<(sys: Sys, argv: string[]) => Body<number>>) =>
      image.program({ name, paths, main: lazyMain(load) })
    const script = (
      name: string,
      path: string,
      load: () => Promise<(script: Script, argv: string[]) => Body<number>>,
    ) => program(name, [path], async () => (await import('./script.ts')).scriptMain(name, await load()))
    program('heartbeat', ['/usr/libexec/heartbeat/heartbeat'], async () => (await import('./daemon.ts')).heartbeat)
    program('cl_status', ['/usr/bin/cl_status'], async () => (await import('./cl-status.ts')).clStatus)
    program('send_arp', ['/usr/libexec/heartbeat/send_arp'], async () => (await import('./send-arp.ts')).sendArp)
    const share = '/usr/share/heartbeat'
    const cluster = () => import('./cluster-scripts.ts')
    script(
      'ResourceManager',
      `${share}/ResourceManager`,
      async () => (await import('./resource-manager.ts')).resourceManager,
    )
    script('req_resource', `${share}/req_resource`, async () => (await cluster()).reqResource)
    script('mach_down', `${share}/mach_down`, async () => (await cluster()).machDown)
    script('hb_standby', `${share}/hb_standby`, async () => (await cluster()).hbStandby)
    script('hb_takeover', `${share}/hb_takeover`, async () => (await cluster()).hbTakeover)
    script('harc', '/etc/ha.d/harc', async () => (await cluster()).harc)
    const rc = '/etc/ha.d/rc.d'
    script('status', `${rc}/status`, async () => (await cluster()).statusScript)
    script('ip-request', `${rc}/ip-request`, async () => (await cluster()).ipRequest)
    script('ip-request-resp', `${rc}/ip-request-resp`, async () => (await cluster()).ipRequestResp)
    script('ask_resources', `${rc}/ask_resources`, async () => (await cluster()).askResources)
    script('rc.d/hb_takeover', `${rc}/hb_takeover`, async () => (await cluster()).takeoverScript)
    const agents = () => import('./agents.ts')
    script('IPaddr', '/etc/ha.d/resource.d/IPaddr', async () => (await agents()).ipaddr)
    script('IPaddr2', '/etc/ha.d/resource.d/IPaddr2', async () => (await agents()).ipaddr2)
    script('SendArp', '/etc/ha.d/resource.d/SendArp', async () => (await agents()).sendArpResource)
    script('init.d/heartbeat', '/etc/init.d/heartbeat', async () => (await import('./init.ts')).initScript)
    script('service', '/usr/sbin/service', async () => (await import('./init.ts')).service)
    for (const directory of ['api', 'casual', 'ckpt', 'cores/root'])
      image.file(`/var/lib/heartbeat/${directory}/.keep`, '')
  },
}
