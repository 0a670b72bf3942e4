/**
 * Builds the hosts and networks of a plan, and runs them.
 *
 *     const world = new World(plan, { seed: 1, startS: 1_767_225_600, image })
 *     world.frames.listen(({ atNs, port, direction, packet }) => ...)
 *     world.sim.run(10 * SECOND)
 */
export { Cable, createCable, End } from './cable.ts'
export { type FrameTap, type Shape, Switch, SwitchPort } from './switch.ts'
export { Wire, type WireSettings } from './wire.ts'
export {
  LabRefused,
  type LinkChange,
  type PowerChange,
  World,
  type WorldFrame,
  WorldHost,
  type WorldLoss,
  type WorldOptions,
} from './world.ts'
