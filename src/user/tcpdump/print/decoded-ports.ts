/**
 * Ports whose contents tcpdump 4.99.3 takes apart and this doesn't yet: seen by sending it something from and to every
 * port. Most are looked for on both sides.
 */
const UDP = [
  67, 68, 69, 88, 123, 161, 162, 319, 320, 496, 500, 514, 520, 521, 525, 546, 547, 646, 654, 698, 701, 750, 921, 1589,
  1645, 1646, 1700, 1701, 1812, 1813, 2103, 2104, 3503, 3799, 4342, 4500, 4789, 4790, 5060, 5359, 6081, 6343, 6635,
  6696, 6697, 7000, 7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008, 7009, 7500, 8231, 8500, 12222, 12223, 17754, 30490,
]
export const UDP_SOURCES: ReadonlySet<number> = new Set([...UDP, 49152])
export const UDP_DESTINATIONS: ReadonlySet<number> = new Set([...UDP, 1985, 2049, 3456, 3784, 3785, 4567, 4784, 6784])

const TCP = [21, 25, 43, 139, 179, 323, 445, 554, 639, 646, 1723, 6379, 6633, 6653, 8554, 10288]
export const TCP_SOURCES: ReadonlySet<number> = new Set(TCP)
export const TCP_DESTINATIONS: ReadonlySet<number> = new Set([...TCP, 2049])
