/** Where the simulated kernel departs from its script, and why. This list can only shrink: who agrees has to go. */
export const DEPARTURES: Record<string, string> = {}
