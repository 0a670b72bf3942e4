/** Builds the hosts and networks of a plan, and runs them. */
export { Cable, createCable, End } from './cable.ts'
export { type FrameTap, type Shape, Switch, SwitchPort } from './switch.ts'
export { Wire, type WireSettings } from './wire.ts'
