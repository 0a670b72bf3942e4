import { NotModelled } from '#base/check'
import type { Body, Sys } from '#kernel/core'
import type { Stdio } from '#user/libc'

export function* genhash(_sys: Sys, _io: Stdio, _words: string[]): Body<number> {
  throw new NotModelled('genhash')
}
