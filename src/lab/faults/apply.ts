/** What a `lab#` line does to a world. */
import type { World } from '#lab/world'
import type { LabVerb } from './verbs.ts'

/** Does it, at the world's present moment. */
export function applyVerb(world: World, verb: LabVerb): void {
  switch (verb.verb) {
    case 'plug':
    case 'unplug':
      world.plug(verb.host, verb.interface, verb.verb === 'plug')
      break
    case 'poweroff':
      world.powerOff(verb.host)
      break
    case 'poweron':
      world.powerOn(verb.host)
      break
    case 'pause':
    case 'resume':
      world.pause(verb.host, verb.verb === 'pause')
      break
    case 'wait': // Passing time is for whoever drives the world.
      break
    case 'loss':
      world.networks.get(verb.network)?.reshape({ loss: verb.loss })
      break
    case 'delay':
      world.networks.get(verb.network)?.reshape({ delayNs: verb.delayNs })
      break
    case 'rate':
      world.networks.get(verb.network)?.reshape({ rateBps: verb.rateBps })
      break
  }
}
