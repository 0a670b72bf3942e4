/** Who has a socket open: every process's descriptors are looked through, as ss(8) and netstat(8) do. */
import type { Sys } from '#kernel/core'

export interface SocketHolder {
  pid: string
  fd: string
}

/** By the socket's inode, in the order of pids and descriptors. */
export function socketHolders(sys: Sys): Map<number, SocketHolder[]> {
  const holders = new Map<number, SocketHolder[]>()
  const processes = sys.readdir('/proc')
  for (const pid of processes.ok ? processes.value : []) {
    if (!/^\d+$/.test(pid)) continue
    const descriptors = sys.readdir(`/proc/${pid}/fd`)
    for (const fd of descriptors.ok ? descriptors.value : []) {
      const link = sys.readlink(`/proc/${pid}/fd/${fd}`)
      const inode = link.ok ? /^socket:\[(\d+)\]$/.exec(link.value)?.[1] : undefined
      if (inode === undefined) continue
      const list = holders.get(Number(inode))
      if (list) list.push({ pid, fd })
      else holders.set(Number(inode), [{ pid, fd }])
    }
  }
  return holders
}
