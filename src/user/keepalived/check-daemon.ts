import type { Body, Sys } from '#kernel/core'
import type { Stdio } from '#user/libc'
import type { Child } from './child.ts'

export function* checkProcess(_child: Child, _sys: Sys, _io: Stdio): Body<number> {
  return 0
}

export function* testCheck(_child: Child, _sys: Sys): Body<void> {}
