import { NotModelled } from '#base/check'
import type { Body, Sys } from '#kernel/core'
export function mtr(_sys: Sys, _argv: string[]): Body<number> {
  throw new NotModelled('mtr')
}
