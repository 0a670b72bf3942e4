/**
 * Cases that a run of all tests takes as recorded: each keeps an emulated kernel busy for half a minute, and there are so
 * many that they would take an hour. `KAIDOKU_ALL=1` runs them there too; `kaidoku update -b qemu CASE.md` renews one.
 */
const RECORDED = [
  /^heartbeat\//,
  /^ldirectord\//,
  /^keepalived\//,
  /^ipvs\/(scheduler-|load-passes|drop-entry|defences|rates|persistence-schedulers|thresholds-time|reuse-mode|locality)/,
]

/** One of each kind is seen on the real kernel every time. */
const SEEN = new Set([
  'heartbeat/authkeys-mistakes.md',
  'ipvs/scheduler-wlc.md',
  'keepalived/election.md',
  'ldirectord/connect.md',
])

/** Whether a case is run on the emulated kernel only if all are asked for. */
export function isRecorded(file: string): boolean {
  return !SEEN.has(file) && RECORDED.some((pattern) => pattern.test(file))
}
