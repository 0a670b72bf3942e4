/** All schedulers, by the names that `ipvsadm -s` takes: those that Debian's kernel has. (`twos` isn't built.) */
import type { Scheduler } from '../scheduler.ts'
import { dh } from './dh.ts'
import { fo } from './fo.ts'
import { lblc } from './lblc.ts'
import { lblcr } from './lblcr.ts'
import { lc } from './lc.ts'
import { mh } from './mh.ts'
import { nq } from './nq.ts'
import { ovf } from './ovf.ts'
import { rr } from './rr.ts'
import { sed } from './sed.ts'
import { sh } from './sh.ts'
import { wlc } from './wlc.ts'
import { wrr } from './wrr.ts'

export const SCHEDULERS: readonly Scheduler[] = [rr, wrr, lc, wlc, sed, nq, fo, ovf, dh, sh, mh, lblc, lblcr]

/** ip_vs_scheduler_get(), as far as it finds one. */
export function findScheduler(name: string): Scheduler | undefined {
  return SCHEDULERS.find((one) => one.name === name)
}
