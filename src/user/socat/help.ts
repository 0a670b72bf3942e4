/** What `socat -h` and `-V` print; of the addresses those that are there. */

export const HELP = `socat by Gerhard Rieger and contributors - see www.dest-unreach.org
Usage:
socat [options] <bi-address> <bi-address>
   options:
      -V     print version and feature information to stdout, and exit
      -h|-?  print a help text describing command line options and addresses
      -hh    like -h, plus a list of all common address option names
      -hhh   like -hh, plus a list of all available address option names
      -d[ddd]         increase verbosity (use up to 4 times; 2 are recommended)
      -D     analyze file descriptors before loop
      -ly[facility]  log to syslog, using facility (default is daemon)
      -lf<logfile>   log to file
      -ls            log to stderr (default if no other log)
      -lm[facility]  mixed log mode (stderr during initialization, then syslog)
      -lp<progname>  set the program name used for logging
      -lu            use microseconds for logging timestamps
      -lh            add hostname to log messages
      -v     verbose text dump of data traffic
      -x     verbose hexadecimal dump of data traffic
      -r <file>      raw dump of data flowing from left to right
      -R <file>      raw dump of data flowing from right to left
      -b<size_t>     set data buffer size (8192)
      -s     sloppy (continue on error)
      -t<timeout>    wait seconds before closing second channel
      -T<timeout>    total inactivity timeout in seconds
      -u     unidirectional mode (left to right)
      -U     unidirectional mode (right to left)
      -g     do not check option groups
      -L <lockfile>  try to obtain lock, or fail
      -W <lockfile>  try to obtain lock, or wait
      -4     prefer IPv4 if version is not explicitly specified
      -6     prefer IPv6 if version is not explicitly specified
   single-address:
      <address-head>[,<opts>]
   address-head:
      abstract-connect:<filename>, abstract-listen:<filename>
      create:<filename>, file:<filename>, gopen:<filename>, open:<filename>
      exec:<command-line>, system:<shell-command>
      fd:<num>, pipe[:<filename>], stdin, stdout, stderr, stdio
      tcp:<host>:<port>, tcp-listen:<port>
      udp:<host>:<port>, udp-listen:<port>, udp-recv:<port>, udp-recvfrom:<port>
      udp-sendto:<host>:<port>, udp-datagram:<host>:<port>
      unix-connect:<filename>, unix-listen:<filename>, unix-recv:<filename>, unix-sendto:<filename>
`

export function VERSION(machine: { version: string; release: string; machine: string }): string {
  return `socat by Gerhard Rieger and contributors - see www.dest-unreach.org
socat version 1.7.4.4 on 06 Nov 2022 08:15:51
   running on Linux version ${machine.version}, release ${machine.release}, machine ${machine.machine}
`
}
