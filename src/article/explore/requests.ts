/**
 * Invariants that make requests: a command given again and again to a shell of its own on a host, or a program that is
 * started again and again. A shell does one thing at a time, so a try that still runs when the next one is due takes its
 * place; programs run side by side, and are judged in the order in which they began.
 */
import type { InvariantRule, Probe } from '#article/format'
import { compareOutput } from '#article/runner'
import { decodeUtf8 } from '#base/bytes'
import { assert } from '#base/check'
import { createTimer, SECOND, type Timer } from '#base/sim'
import { createCapture, type OpenFile } from '#kernel/core'
import { createShellSession, DEFAULT_ENVIRONMENT, type ShellSession } from '#user/shell'
import { type ExploredLab, formatTime, type OnViolation, type Watcher } from './lab.ts'

/** A request that takes longer is interrupted, and has failed. */
const TRY_MAX_NS = 10 * SECOND
/** How many tries the evidence shows. */
const SHOWN = 8
const OUTPUT_MAX = 65_536
/** So many programs run side by side. */
const AT_ONCE_MAX = 32

interface Try {
  startNs: number
  good: boolean
  /** How it ended, in a line. */
  told: string
}

/** A try that runs, or has ended while an earlier one still runs. */
interface Running {
  startNs: number
  output: Uint8Array[]
  size: number
  ended: Try | undefined
}

/** Makes a probe's requests until it is stopped. A host that is down makes none. */
export class Prober {
  readonly #lab: ExploredLab
  readonly #probe: Probe
  readonly #everyNs: number
  readonly #onTry: (each: Try) => void
  readonly #timer: Timer
  #session: ShellSession | undefined
  /** In the order in which they began. */
  #running: Running[] = []
  #nextNs: number

  constructor(lab: ExploredLab, name: string, probe: Probe, everyNs: number, onTry: (each: Try) => void) {
    this.#lab = lab
    this.#probe = probe
    this.#everyNs = everyNs
    this.#onTry = onTry
    this.#nextNs = lab.nowNs
    this.#timer = createTimer(lab.world.sim, `invariant/${name}`, () => this.#due())
    this.#timer.armAt(this.#nextNs)
  }

  stop(): void {
    this.#running = []
    this.#timer.destroy()
  }

  #due(): void {
    const { world, nowNs } = this.#lab
    const { argv, command, host: name } = this.#probe
    const host = world.host(name)
    while (this.#nextNs <= nowNs) this.#nextNs += this.#everyNs
    this.#timer.armAt(this.#nextNs)
    if (!host.kernel.up) {
      // What ran there is gone, and so is its shell.
      this.#session = undefined
      this.#running = []
      return
    }
    if (host.paused || this.#running.length >= AT_ONCE_MAX) return
    const [busy] = this.#running
    if (!argv && busy) {
      if (nowNs - busy.startNs >= TRY_MAX_NS) world.as(host, () => this.#session?.interrupt('SIGKILL'))
      return
    }
    const made: Running = { startNs: nowNs, output: [], size: 0, ended: undefined }
    this.#running.push(made)
    world.as(host, () => {
      if (argv) this.#spawn(argv, made)
      else this.#shell().execute(command, (status) => this.#ended(made, status))
    })
  }

  /** Runs a program without a shell: half the work. Phrases end by themselves within a second. */
  #spawn(argv: string[], made: Running): void {
    const { kernel } = this.#lab.world.host(this.#probe.host)
    kernel.spawn({
      argv,
      files: this.#descriptors(() => made),
      env: DEFAULT_ENVIRONMENT,
      onExit: ({ exit }) => this.#ended(made, exit ?? 128),
    })
  }

  #shell(): ShellSession {
    const { kernel } = this.#lab.world.host(this.#probe.host)
    this.#session ??= createShellSession(kernel, { files: this.#descriptors(() => this.#running[0]) })
    return this.#session
  }

  #descriptors(whose: () => Running | undefined): OpenFile[] {
    const { kernel } = this.#lab.world.host(this.#probe.host)
    const terminal = createCapture({
      onOutput: (bytes) => {
        const to = whose()
        if (!to) return
        to.size += bytes.length
        if (to.size <= OUTPUT_MAX) to.output.push(bytes.slice())
      },
    })
    const nothing = kernel.openPath('/dev/null', 0)
    assert(nothing, '/dev/null is there')
    return [nothing, terminal, terminal]
  }

  #ended(made: Running, status: number): void {
    const output = decodeUtf8(joined(made.output))
    const { expected } = this.#probe
    const good = expected ? compareOutput(expected, output, false).equal : status === 0
    const first = output.trimEnd().split('\n')
    const printed = first[0] === '' ? 'nothing printed' : `\`${first[0]}\`${first.length > 1 ? ' ...' : ''}`
    made.ended = { startNs: made.startNs, good, told: `status ${status}, ${printed}` }
    while (this.#running[0]?.ended) this.#onTry(this.#running.shift()!.ended!)
  }
}

function joined(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Watches `no request fails for longer than` and `always`. */
export function watchRequests(
  lab: ExploredLab,
  name: string,
  rule: Extract<InvariantRule, { kind: 'requests' }>,
  violated: OnViolation,
): Watcher {
  const { probe, limitNs } = rule
  const recent = new Recent(probe)
  let since: Try | undefined
  const prober = new Prober(lab, name, probe, rule.everyNs, (each) => {
    recent.add(each)
    if (each.good) {
      since = undefined
      return
    }
    since ??= each
    const lastedNs = each.startNs - since.startNs
    if (limitNs === 0) violated({ what: `a request failed at ${formatTime(each.startNs)} s`, evidence: recent.lines })
    else if (lastedNs > limitNs) {
      const what = `requests failed from ${formatTime(since.startNs)} s to ${formatTime(each.startNs)} s`
      violated({ what, evidence: recent.lines })
    }
  })
  return { stop: () => prober.stop() }
}

/** Watches `within ... after the last fault` and `from ... after the last fault on`. */
export function watchAfterwards(
  lab: ExploredLab,
  name: string,
  rule: Extract<InvariantRule, { kind: 'afterwards' }>,
  violated: OnViolation,
): Watcher {
  const { probe, delayNs, mode } = rule
  const recent = new Recent(probe)
  let lastNs = lab.nowNs
  let reached = false
  /** The first try that shows it, and what was seen until then. */
  let bad: { startNs: number; lines: string[] } | undefined
  const prober = new Prober(lab, name, probe, rule.everyNs, (each) => {
    recent.add(each)
    const sinceNs = each.startNs - lastNs
    if (sinceNs < 0) return
    if (each.good && sinceNs <= delayNs) reached = true
    const shows = mode === 'from' ? !each.good && sinceNs >= delayNs : !reached && sinceNs > delayNs
    if (shows) bad ??= { startNs: each.startNs, lines: recent.lines }
  })
  return {
    fault() {
      lastNs = lab.nowNs
      reached = false
      bad = undefined
    },
    end() {
      if (!bad) return // Or too early to say.
      const after = `after the last fault, which was at ${formatTime(lastNs)} s`
      const what =
        mode === 'within'
          ? `not once within ${delayNs / 1e9} s ${after}`
          : `not so ${formatTime(bad.startNs - lastNs)} s ${after}`
      violated({ what, evidence: bad.lines, atNs: mode === 'within' ? lastNs + delayNs : bad.startNs })
    },
    stop: () => prober.stop(),
  }
}

/** The last tries, as evidence. */
class Recent {
  readonly #tries: Try[] = []
  readonly #probe: Probe

  constructor(probe: Probe) {
    this.#probe = probe
  }

  add(each: Try): void {
    this.#tries.push(each)
    if (this.#tries.length > SHOWN) this.#tries.shift()
  }

  get lines(): string[] {
    const { host, command } = this.#probe
    return this.#tries.map(({ startNs, good, told }) => {
      return `${formatTime(startNs)} ${good ? 'good' : 'FAIL'} ${host}# ${command}: ${told}`
    })
  }
}
