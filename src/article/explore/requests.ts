/**
 * Invariants that make requests: a command given again and again to a shell of its own on a host. A try that still runs
 * when the next one is due takes its place, so that slow requests don't pile up.
 */
import type { InvariantRule, Probe } from '#article/format'
import { compareOutput } from '#article/runner'
import { decodeUtf8 } from '#base/bytes'
import { assert } from '#base/check'
import { createTimer, SECOND, type Timer } from '#base/sim'
import { createCapture } from '#kernel/core'
import { createShellSession, type ShellSession } from '#user/shell'
import { type ExploredLab, formatTime, type OnViolation, type Watcher } from './lab.ts'

/** A request that takes longer is interrupted, and has failed. */
const TRY_MAX_NS = 10 * SECOND
/** How many tries the evidence shows. */
const SHOWN = 8
const OUTPUT_MAX = 65_536

interface Try {
  startNs: number
  good: boolean
  /** How it ended, in a line. */
  told: string
}

/** Makes a probe's requests until it is stopped. A host that is down makes none. */
export class Prober {
  readonly #lab: ExploredLab
  readonly #probe: Probe
  readonly #everyNs: number
  readonly #onTry: (each: Try) => void
  readonly #timer: Timer
  #session: ShellSession | undefined
  #output: Uint8Array[] = []
  #size = 0
  #startNs = -1
  #nextNs: number
  #run = 0

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
    this.#run++
    this.#timer.destroy()
  }

  #due(): void {
    const { world, nowNs } = this.#lab
    const host = world.host(this.#probe.host)
    if (this.#startNs >= 0 && host.kernel.up && nowNs - this.#startNs >= TRY_MAX_NS && !host.paused) {
      world.as(host, () => this.#session?.interrupt('SIGKILL'))
    }
    while (this.#nextNs <= nowNs) this.#nextNs += this.#everyNs
    this.#timer.armAt(this.#nextNs)
    if (!host.kernel.up) {
      // What ran there is gone, and so is its shell.
      this.#session = undefined
      this.#startNs = -1
      this.#run++
      return
    }
    if (host.paused || this.#startNs >= 0) return
    this.#startNs = nowNs
    this.#output = []
    this.#size = 0
    const run = ++this.#run
    world.as(host, () => this.#shell().execute(this.#probe.command, (status) => this.#ended(run, status)))
  }

  #shell(): ShellSession {
    if (this.#session) return this.#session
    const { kernel } = this.#lab.world.host(this.#probe.host)
    const terminal = createCapture({
      onOutput: (bytes) => {
        this.#size += bytes.length
        if (this.#size <= OUTPUT_MAX) this.#output.push(bytes.slice())
      },
    })
    const nothing = kernel.openPath('/dev/null', 0)
    assert(nothing, '/dev/null is there')
    this.#session = createShellSession(kernel, { files: [nothing, terminal, terminal] })
    return this.#session
  }

  #ended(run: number, status: number): void {
    if (run !== this.#run) return
    const startNs = this.#startNs
    this.#startNs = -1
    const output = decodeUtf8(joined(this.#output))
    const { expected } = this.#probe
    const good = expected ? compareOutput(expected, output, false).equal : status === 0
    const first = output.trimEnd().split('\n')
    const printed = first[0] === '' ? 'nothing printed' : `\`${first[0]}\`${first.length > 1 ? ' ...' : ''}`
    this.#onTry({ startNs, good, told: `status ${status}, ${printed}` })
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
  let bad: Try | undefined
  const prober = new Prober(lab, name, probe, rule.everyNs, (each) => {
    recent.add(each)
    if (each.startNs < lastNs) return
    if (each.good && each.startNs <= lastNs + delayNs) reached = true
    if (!each.good && each.startNs >= lastNs + delayNs) bad ??= each
  })
  return {
    fault() {
      lastNs = lab.nowNs
      reached = false
      bad = undefined
    },
    end() {
      const after = `after the last fault, which was at ${formatTime(lastNs)} s`
      if (lab.nowNs < lastNs + delayNs) return // Too early to say.
      if (mode === 'within' && !reached) {
        const what = `not once within ${delayNs / 1e9} s ${after}`
        violated({ what, evidence: recent.lines, atNs: lastNs + delayNs })
      } else if (mode === 'from' && bad) {
        const what = `not so ${formatTime(bad.startNs - lastNs)} s ${after}`
        violated({ what, evidence: recent.lines, atNs: bad.startNs })
      }
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
