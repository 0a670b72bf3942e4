/** Flags of links, as user space knows them. */

/** IFF_*. Linux 6.1 include/uapi/linux/if.h */
export const IFF_UP = 0x1
export const IFF_POINTOPOINT = 0x10
export const IFF_RUNNING = 0x40
export const IFF_NOARP = 0x80
export const IFF_PROMISC = 0x100
export const IFF_ALLMULTI = 0x200
export const IFF_MULTICAST = 0x1000
export const IFF_NOTRAILERS = 0x20
export const IFF_DYNAMIC = 0x8000
