/**
 * Loading modules: a room that is a module on Debian says what happens when `modprobe` names it (`moduleLoaders`), and
 * asks for its own when something needs it.
 *
 * Linux 6.1 kernel/module/main.c: finit_module(2).
 */
import type { Host } from './host.ts'
import type { KernelImage, NetlinkAnswer } from './image.ts'

/** By a module's name, with underscores. Loading one that is there does nothing. */
export function moduleLoaders(image: KernelImage): Map<string, (host: Host) => void> {
  return image.slot('kernel modules', () => new Map())
}

/** finit_module(2), by name: ENOENT if no room knows it. */
export interface ModuleRequest {
  type: 'FINIT_MODULE'
  name: string
}

/** Installs the answer. */
export function installModules(image: KernelImage): void {
  image.netlink('FINIT_MODULE', (host, request): NetlinkAnswer => {
    const load = moduleLoaders(image).get((request as ModuleRequest).name.replaceAll('-', '_'))
    if (load === undefined) return { ok: false, errno: 'ENOENT' }
    load(host)
    return { ok: true, messages: [] }
  })
}
