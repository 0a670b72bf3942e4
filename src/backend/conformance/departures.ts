/**
 * Cases whose commands are the real kernel's to the letter while some of their packets are not, each with the reason. What is
 * listed is held to its lines only. The list can only shrink.
 */
export const DEPARTURES: Readonly<Record<string, string>> = {}
