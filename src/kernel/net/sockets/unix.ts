/** AF_UNIX: connected pairs within a host, by path. Linux 6.1 net/unix/af_unix.c. To come with the daemons that need it. */
export interface UnixSocket {
  readonly inode: number
}
