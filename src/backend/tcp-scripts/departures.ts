/** Where the simulated kernel departs from its script, and why. This list can only shrink: who agrees has to go. */
const TREE =
  'of overlapping segments out of order Linux joins the one that it meets first in its red-black tree; here it is the one that begins last'

export const DEPARTURES: Record<string, string> = {
  'chance/receiver-18': TREE,
  'chance/receiver-39': TREE,
}
