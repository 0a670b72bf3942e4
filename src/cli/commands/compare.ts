import { join } from 'node:path'
import { compareRuns, formatTotals, type LineDifference, type RunComparison, runArticle } from '#article/runner'
import { openBackend, readArticle } from '../articles.ts'
import { defineCommand, flag, integer, oneOf, text, UsageError } from '../command.ts'
import { writeRun } from '../out.ts'
import { paint, print, printError } from '../terminal.ts'

export const compare = defineCommand({
  name: 'compare',
  help: `Usage: kaidoku compare [OPTION]... ARTICLE...
Run articles simulated and on a real Linux kernel, and show the lines and packets that differ.

  -b, --backend=NAME  the real one: qemu (the default) or netns
  -s, --seed=NUMBER   the seed of all chance (default 1)
  -o, --out=DIR       write both runs' captures and transcripts to DIR/sim and DIR/NAME
  -y, --yes           don't ask before real commands run as root
  -h, --help          show this text

What may differ between two real runs is named alike or masked: ports that nobody chose, ICMP
identifiers, TCP's first sequence numbers, timestamps, IP identification, measured times.

Exit status: 0 all equal, 1 a difference, 2 an article unreadable.`,
  options: { backend: oneOf('qemu', 'netns'), seed: integer, out: text, yes: flag },
  async main({ operands, options }) {
    if (operands.length === 0) throw new UsageError('kaidoku compare: name an article')
    const articles = []
    for (const file of operands) articles.push(await readArticle(file))
    const name = options.backend ?? 'qemu'
    const sim = await openBackend('sim', true)
    const real = await openBackend(name, options.yes ?? false)
    let status = 0
    try {
      for (const article of articles) {
        if (!article.lab) {
          print(`${article.file}: an article without a lab`)
          continue
        }
        const seed = options.seed ?? 1
        const left = await runArticle(sim, article, { seed })
        printError(`kaidoku: ${article.file} on ${name} ...`)
        const right = await runArticle(real, article, { seed })
        if (options.out !== undefined) {
          await writeRun(left, join(options.out, 'sim'))
          await writeRun(right, join(options.out, name))
        }
        const result = compareRuns(left, right)
        reportComparison(article.file, right.kernel, result)
        const { commands, packets } = result
        if (commands.equal < commands.total || packets.equal < packets.total) status = 1
        print(formatTotals(result))
      }
    } finally {
      await real.close()
      await sim.close()
    }
    return status
  },
})

function reportComparison(file: string, kernel: string, { commands, packets }: RunComparison): void {
  print(`${paint('bold', file)}: - simulated, + ${kernel}`)
  let source: LineDifference['source'] | undefined
  for (const difference of commands.differences) {
    if (difference.source !== source) {
      source = difference.source
      print(
        `${source.at.file}:${source.at.line}: ${paint('bold', `${source.host}${source.prompt}`)} ${source.command.split('\n')[0]}`,
      )
    }
    if (difference.left !== undefined) print(paint('red', `  - ${difference.left}`))
    if (difference.right !== undefined) print(paint('green', `  + ${difference.right}`))
  }
  for (const { host, interface: iface, side, number, frame, text: what } of packets.differences) {
    const time = (frame.s + frame.ns / 1e9).toFixed(6)
    const line = `  ${side === 'left' ? '-' : '+'} ${host}:${iface} #${number} at ${time}: ${what}`
    print(paint(side === 'left' ? 'red' : 'green', line))
  }
}
