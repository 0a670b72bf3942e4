/** The program `iptables`: reads its words, changes or shows tables. */
import { encodeUtf8 } from '#base/bytes'
import { type Body, type KernelImage, type Sys, writeText } from '#kernel/core'
import { xtTable } from '../xt/extension.ts'
import { TABLES } from './builtin.ts'
import { execute } from './commands.ts'
import { helpText } from './help.ts'
import { type Names, readNames } from './names.ts'
import { parseCommandLine, UsageError } from './parse.ts'
import { Printer } from './print.ts'
import { Failure, Refusals, Tables } from './tables.ts'

export const VERSION = '1.8.9'

/** What a mistake prints, and the status that it ends with. */
export function usageText(program: string, error: UsageError): string {
  const name = error.named ? `${program} v${VERSION} (nf_tables): ` : ''
  return `${name}${error.message}\n${error.hint ? `Try \`${program} -h' or '${program} --help' for more information.\n` : ''}`
}

export function iptablesMain(image: KernelImage, program: string) {
  return function* (sys: Sys, argv: string[]): Body<number> {
    const names: Names = yield* readNames(sys)
    let tables: Tables | undefined
    try {
      const netlink = (message: { type: string }) => sys.netlink(message)
      const line = parseCommandLine(argv, { xt: xtTable(image), names, netlink })
      if (line.version) {
        yield* writeText(sys, 1, `${program} v${VERSION} (nf_tables)\n`)
        return 0
      }
      if (line.help) {
        yield* writeText(sys, 1, helpText(program, `${VERSION} (nf_tables)`, line.helpOf))
        return 0
      }
      if (!TABLES.has(line.table)) {
        throw new Failure(
          `${program} v${VERSION} (nf_tables): table '${line.table}' does not exist\nPerhaps ${program} or your kernel needs to be upgraded.\n`,
          3,
        )
      }
      tables = new Tables(program, image, netlink)
      const options = {
        numeric: line.numeric,
        verbose: line.verbose > 0,
        exact: line.exact,
        lineNumbers: line.lineNumbers,
      }
      const printer = new Printer(image, names, options, netlink)
      const text = execute(line, tables, printer)
      if (text !== '') yield* sys.write(1, encodeUtf8(text))
      tables.commit()
      return 0
    } catch (error) {
      if (error instanceof UsageError) {
        yield* writeText(sys, 2, usageText(program, error))
        return error.status
      }
      if (error instanceof Failure) {
        yield* writeText(sys, 2, error.message)
        return error.status
      }
      if (error instanceof Refusals) {
        yield* writeText(
          sys,
          2,
          `${program} v${VERSION} (nf_tables): ${error.lines.map(({ text }) => text).join('\n')}\n`,
        )
        return 4
      }
      throw error
    }
  }
}
