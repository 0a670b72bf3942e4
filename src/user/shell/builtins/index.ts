/** The builtins by name. bash(1), "SHELL BUILTIN COMMANDS". */

import type { Builtin } from './builtin.ts'
import { control } from './control.ts'
import { directories } from './directories.ts'
import { input } from './input.ts'
import { inspection } from './inspection.ts'
import { jobControl } from './job-control.ts'
import { output } from './output.ts'
import { settings } from './settings.ts'
import { variables } from './variables.ts'

export const builtins = new Map<string, Builtin>(
  Object.entries({
    ...control,
    ...directories,
    ...input,
    ...inspection,
    ...jobControl,
    ...output,
    ...settings,
    ...variables,
  }),
)

/** Those whose arguments of the form name=value aren't split. */
export const DECLARING = new Set(['declare', 'typeset', 'local', 'export', 'readonly', 'alias'])

/** POSIX's special builtins: their mistakes end a POSIX shell. */
export const SPECIAL = new Set([
  'break',
  ':',
  'continue',
  '.',
  'eval',
  'exec',
  'exit',
  'export',
  'readonly',
  'return',
  'set',
  'shift',
  'times',
  'trap',
  'unset',
])
