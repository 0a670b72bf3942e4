/** Ethernet's numbers. IEEE 802.3; Linux 6.1 include/uapi/linux/if_ether.h. */

/** Bytes of an address, of the header, of an 802.1Q tag. */
export const ETH_ALEN = 6
export const ETH_HLEN = 14
export const VLAN_HLEN = 4
/** The shortest frame without its check sequence; cards pad up to it, veth-like links don't. */
export const ETH_ZLEN = 60
export const ETH_DATA_LEN = 1500
/** Below it the word is a length, from it on a type. IEEE 802.3 clause 3.2.6. */
export const ETH_P_802_3_MIN = 0x0600

export const ETH_P_ALL = 0x0003
export const ETH_P_IP = 0x0800
export const ETH_P_ARP = 0x0806
export const ETH_P_RARP = 0x8035
export const ETH_P_8021Q = 0x8100
export const ETH_P_IPV6 = 0x86dd
export const ETH_P_8021AD = 0x88a8
export const ETH_P_LOOP = 0x9000
