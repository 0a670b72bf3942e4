import { runArticle } from '#article/runner'
import { createSimBackend, formatJourney, Journeys } from '#backend/sim'
import { readArticle } from '../articles.ts'
import { budgetsOf } from '../budgets.ts'
import { defineCommand, integer, seconds, text, UsageError } from '../command.ts'
import { paint, print, printError } from '../terminal.ts'

export const explain = defineCommand({
  name: 'explain',
  help: `Usage: kaidoku explain [OPTION]... ARTICLE
Run an article in the simulated data centre and tell the way of a packet: every host, hook, rule, route and queue
that it met, and why it ended where it did. Without --packet, the frames are listed with their numbers.

  -p, --packet=NUMBER  the frame, by its number in the list
  -g, --grep=TEXT      list only frames whose line has TEXT
  -s, --seed=NUMBER    the seed of all chance (default 1)
      --budget=SECONDS real time that the run may take (default 600)
  -h, --help           show this text

Exit status: 0, 1 if there is no such packet, 2 an article unreadable.`,
  options: { packet: integer, grep: text, seed: integer, budget: seconds },
  async main({ operands, options }) {
    const [file] = operands
    if (file === undefined || operands.length > 1) throw new UsageError('kaidoku explain: name one article')
    const article = await readArticle(file)
    if (!article.lab) throw new UsageError(`kaidoku explain: ${file}: an article without a lab`)
    let journeys: Journeys | undefined
    const backend = createSimBackend({
      budgets: () => budgetsOf(options.budget),
      onLab: (lab) => {
        journeys = new Journeys(lab.world)
      },
    })
    await runArticle(backend, article, { seed: options.seed ?? 1, capture: false })
    const list = journeys?.list() ?? []
    if (options.packet === undefined) {
      for (const { number, atNs, from, summary } of list) {
        const line = `${String(number).padStart(5)} ${(atNs / 1e9).toFixed(6).padStart(12)}  ${from.padEnd(14)} ${summary}`
        if (options.grep === undefined || line.includes(options.grep)) print(line)
      }
      return 0
    }
    const journey = journeys?.of(options.packet)
    if (!journey) {
      printError(`kaidoku explain: ${file} has ${list.length} frames, and no ${options.packet}`)
      return 1
    }
    const titles = (frame: number) => list[frame - 1]?.summary
    print(paint('bold', `frame ${options.packet}: ${titles(options.packet) ?? ''}`))
    print(formatJourney(journey, titles).trimEnd())
    return 0
  },
})
