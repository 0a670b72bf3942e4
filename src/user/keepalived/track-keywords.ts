/** Lines of track_interface and track_script. keepalived 2.2.7 vrrp/vrrp_track.c: alloc_track_if(), alloc_track_script() */
import type { Configuration } from './configuration.ts'
import type { Words } from './keywords.ts'
import type { TrackedInterface, TrackedScript } from './model.ts'

/** Neither may take a priority off its scale. */
function bounded(config: Configuration, name: string, tracked: string, weight: number): number {
  if (Math.abs(weight) !== 254) return weight
  config.wrong(`(${name}) weight for ${tracked} cannot be +/-254. Setting to +/-253`)
  return Math.sign(weight) * 253
}

export function parseTrackedInterface(
  config: Configuration,
  name: string,
  list: TrackedInterface[],
  words: Words,
): void {
  const tracked = words.at(0)
  const nic = config.nic(tracked)
  const say = (text: string) => config.wrong(`(${name}) ${text}`)
  if (!nic) {
    say(`tracked interface ${tracked} doesn't exist`)
    return
  }
  if (list.some((each) => each.nic === nic)) {
    say(`duplicate track_interface ${tracked} - ignoring`)
    return
  }
  let weight = 0
  let reverse = false
  if (words.count >= 2) {
    if (words.at(1) !== 'weight') {
      say(`unknown track_interface ${tracked} option ${words.at(1)} - ignoring`)
      return
    }
    if (words.count === 2) {
      say(`weight without value specified for track_interface ${tracked} - ignoring`)
      return
    }
    const read = config.int(words, 2, -254, 254, true)
    if (read === undefined) {
      say(`weight ${words.at(2)} for ${tracked} must be between [-253..253] inclusive. Ignoring...`)
    } else weight = bounded(config, name, tracked, read)
    if (words.count >= 4) {
      if (words.at(3) === 'reverse') reverse = true
      else say(`unknown track_interace ${tracked} weight option ${words.at(3)} - ignoring`)
    }
  }
  list.push({ nic, weight, reverse })
}

export function parseTrackedScript(config: Configuration, name: string, list: TrackedScript[], words: Words): void {
  const tracked = words.at(0)
  const script = config.vrrp.scripts.find((each) => each.name === tracked)
  const say = (text: string) => config.wrong(`(${name}) ${text}`)
  if (!script) {
    say(`track script ${tracked} not found, ignoring...`)
    return
  }
  if (list.some((each) => each.script === script)) {
    say(`duplicate track_script ${tracked} - ignoring`)
    return
  }
  let { weight, reverse } = script
  if (words.count >= 2) {
    if (words.at(1) !== 'weight') {
      say(`unknown track script option ${words.at(1)} - ignoring`)
      return
    }
    if (words.count === 2) {
      say(`weight without value specified for track script ${tracked} - ignoring`)
      return
    }
    const read = config.int(words, 2, -254, 254, true)
    if (read === undefined) {
      say(`track script ${tracked}: weight must be between [-253..253] inclusive, ignoring...`)
    } else weight = bounded(config, name, tracked, read)
    if (words.count >= 4) {
      if (words.at(3) === 'reverse') reverse = true
      else if (words.at(3) === 'noreverse') reverse = false
      else say(`unknown track_script ${tracked} weight option ${words.at(3)} - ignoring`)
    }
  }
  script.init = config.reloading ? 'INIT_RELOAD' : 'INIT'
  list.push({ script, weight, reverse })
}
