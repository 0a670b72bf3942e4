/** What a `lab#` line does to a world. */
import type { World } from '#lab/world'
import type { LabVerb } from './verbs.ts'

/** Does it, at the world's present moment. */
export function applyVerb(world: World, verb: LabVerb): void {
  switch (verb.verb) {
    case 'plug':
    case 'unplug':
      return world.plug(verb.host, verb.interface, verb.verb === 'plug')
    case 'poweroff':
      return world.powerOff(verb.host)
    case 'poweron':
      return world.powerOn(verb.host)
    case 'loss':
      return world.networks.get(verb.network)?.reshape({ loss: verb.loss })
    case 'delay':
      return world.networks.get(verb.network)?.reshape({ delayNs: verb.delayNs })
    case 'rate':
      return world.networks.get(verb.network)?.reshape({ rateBps: verb.rateBps })
  }
}
