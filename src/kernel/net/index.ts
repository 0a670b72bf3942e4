/** Network devices, neighbours, routes, sockets: the kernel's net/core and net/ipv4. */
export * from './cable.ts'
export * from './netlink.ts'
