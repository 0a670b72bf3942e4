/** The kinds of congestion control there are. */
import { type CongestionControl, reno } from './congestion.ts'
import { cubic } from './cubic.ts'

/** By name, as TCP_CONGESTION and `net.ipv4.tcp_congestion_control` take it. */
export const congestionControls: Record<string, CongestionControl> = { reno, cubic }
