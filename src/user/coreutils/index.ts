/**
 * The tools that every host has: coreutils, grep, sed, awk, findutils and the like, on system calls.
 *
 *     image.install(shell)
 *     image.install(coreutils)
 *     // host$ ls -l /etc | grep hosts | cut -c1-10
 */
import type { Program, Room } from '#kernel/core'
import { awk } from './awk.ts'
import * as columns from './columns.ts'
import { date } from './date.ts'
import { diff } from './diff.ts'
import { cmp, hexdump, od, xxd } from './dump.ts'
import { expr } from './expr.ts'
import * as files from './files.ts'
import { find } from './find.ts'
import { egrep, fgrep, grep } from './grep.ts'
import { jq, md5sum, sha1sum, sha256sum } from './library.ts'
import { dir, ls } from './ls.ts'
import { split, strings, unexpand, unlink } from './pieces.ts'
import * as running from './running.ts'
import { sed } from './sed.ts'
import * as small from './small.ts'
import { sort, uniq } from './sorting.ts'
import * as streams from './streams.ts'

export { defineTool, fileTime, Io, type Options, parseInterval, quote, Reader, type Tool } from './tool.ts'

const PROGRAMS: Program[] = [
  ...Object.values(columns),
  ...Object.values(streams),
  awk,
  cmp,
  diff,
  expr,
  find,
  hexdump,
  jq,
  md5sum,
  od,
  sha1sum,
  sha256sum,
  xxd,
  date,
  egrep,
  fgrep,
  grep,
  dir,
  ls,
  sed,
  sort,
  split,
  strings,
  unexpand,
  uniq,
  unlink,
  files.chmod,
  files.cp,
  files.ln,
  files.mkdir,
  files.mkfifo,
  files.mktemp,
  files.mv,
  files.rm,
  files.rmdir,
  files.touch,
  files.truncate,
  running.env,
  running.nice,
  running.nohup,
  running.sleep,
  running.stdbuf,
  running.timeout,
  running.xargs,
  small.basename,
  small.dirname,
  small.echo,
  small.getent,
  small.id,
  small.nproc,
  small.printenv,
  small.printf,
  small.pwd,
  small.readlink,
  small.realpath,
  small.stat,
  small.uname,
  small.which,
  small.whoami,
  ...small.yesNo,
  ...small.tests,
]

export const coreutils: Room = {
  name: 'user/coreutils',
  needs: ['user/shell'],
  install(image) {
    for (const program of PROGRAMS) image.program(program)
  },
}
