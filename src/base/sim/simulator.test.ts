import { expect, test } from 'vitest'
import { AssertionFailed, BudgetExceeded } from '#base/check'
import { createTimer, drive, SECOND, Simulator, TIME_MAX_NS, Trace } from './index.ts'

function recorder() {
  const sim = new Simulator(1)
  const seen: string[] = []
  const note = (name: string) => () => {
    seen.push(`${name}@${sim.nowNs}`)
  }
  return { sim, seen, note }
}

test('events of one moment run in the order in which they were scheduled', () => {
  const { sim, seen, note } = recorder()
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) sim.at(5, name, note(name))
  sim.at(3, 'first', note('first'))
  sim.run()
  expect(seen).toEqual(['first@3', 'a@5', 'b@5', 'c@5', 'd@5', 'e@5', 'f@5', 'g@5'])
})

test('a timer that is put back counts as scheduled then, not before', () => {
  const { sim, seen, note } = recorder()
  const a = createTimer(sim, 'a', note('a'))
  a.armAt(10)
  sim.at(20, 'b', note('b'))
  a.armAt(20)
  sim.at(20, 'c', note('c'))
  sim.run()
  expect(seen).toEqual(['b@20', 'a@20', 'c@20'])
})

test('a timer fires once: not when cancelled, not at its old time, not after destroy', () => {
  const { sim, seen, note } = recorder()
  const earlier = createTimer(sim, 'earlier', note('earlier'))
  earlier.armAt(50)
  earlier.armAt(20)
  const cancelled = createTimer(sim, 'cancelled', note('cancelled'))
  cancelled.armAt(10)
  cancelled.cancel()
  const again = createTimer(sim, 'again', note('again'))
  again.armAt(10)
  again.cancel()
  again.armAt(30)
  const destroyed = createTimer(sim, 'destroyed', note('destroyed'))
  destroyed.armAt(15)
  destroyed.destroy()
  const reused = createTimer(sim, 'reused', note('reused')) // Takes the slot that was given back.
  reused.armAt(40)
  expect([earlier.armed, earlier.dueNs, cancelled.armed, cancelled.dueNs]).toEqual([
    true,
    20,
    false,
    Number.POSITIVE_INFINITY,
  ])
  sim.run()
  expect(seen).toEqual(['earlier@20', 'again@30', 'reused@40'])
  expect(sim.nextNs()).toBe(Number.POSITIVE_INFINITY)
})

test('what an event arms for its own moment runs after what was there already', () => {
  const { sim, seen, note } = recorder()
  sim.at(5, 'a', () => {
    note('a')()
    sim.at(5, 'late', note('late'))
  })
  sim.at(5, 'b', note('b'))
  sim.run()
  expect(seen).toEqual(['a@5', 'b@5', 'late@5'])
})

test('`at` may be called off, also by an event of the same moment; twice is once', () => {
  const { sim, seen, note } = recorder()
  sim.at(5, 'a', () => {
    b.cancel()
    b.cancel()
  })
  const b = sim.at(5, 'b', note('b'))
  const c = sim.at(6, 'c', note('c'))
  sim.run()
  c.cancel() // It has run: its slot may be another's by now.
  expect(seen).toEqual(['c@6'])
})

test('run stops at its limit, sets the clock, and goes on from there', () => {
  const { sim, seen, note } = recorder()
  sim.at(10, 'a', note('a'))
  sim.at(11, 'b', note('b'))
  sim.run(10)
  expect([sim.nowNs, seen, sim.nextNs(), sim.nextName()]).toEqual([10, ['a@10'], 11, 'b'])
  sim.run(100)
  expect([sim.nowNs, seen]).toEqual([100, ['a@10', 'b@11']])
})

test('a fraction of a nanosecond is waited for as a whole one', () => {
  const { sim, seen } = recorder()
  sim.at(10.5, 'half', () => {
    seen.push(`half@${sim.nowNs}`)
    sim.at(sim.nowNs + 2 ** 33 + 0.25, 'quarter', () => seen.push(`quarter@${sim.nowNs}`))
  })
  sim.run()
  expect(seen).toEqual(['half@11', `quarter@${12 + 2 ** 33}`])
})

test('a past or an endless time is our bug, and says when', () => {
  const sim = new Simulator(7)
  sim.run(SECOND)
  expect(() => sim.at(SECOND - 1, 'x', () => {})).toThrow(/x: armed for 999999999 ns at 1000000000 ns \(seed 7\)/)
  expect(() => sim.at(Number.NaN, 'x', () => {})).toThrow(AssertionFailed)
  expect(() => sim.at(TIME_MAX_NS + 1, 'x', () => {})).toThrow(AssertionFailed)
})

test('an event that throws leaves a queue that goes on', () => {
  const { sim, seen, note } = recorder()
  sim.at(1, 'bad', () => {
    throw new Error('bad')
  })
  sim.at(2, 'good', note('good'))
  expect(() => sim.run()).toThrow('bad')
  sim.run()
  expect(seen).toEqual(['good@2'])
})

test('budgets: the events, the virtual time, and whatever else the caller measures', () => {
  const endless = () => {
    const sim = new Simulator(1)
    const timer = createTimer(sim, 'tick', () => timer.armAfter(1))
    timer.armAfter(1)
    return sim
  }
  let sim = endless()
  sim.budgets = { events: 100 }
  expect(() => sim.run()).toThrow(BudgetExceeded)
  expect(sim.events).toBe(100)
  expect(() => sim.run()).toThrow(BudgetExceeded)
  expect(sim.events).toBe(100)
  sim = endless()
  sim.budgets = { untilNs: 50 }
  sim.run(40)
  expect(() => sim.run(60)).toThrow(/virtual time/)
  sim = endless()
  let checks = 0
  sim.budgets = {
    check() {
      if (++checks === 2) throw new BudgetExceeded('real time', 'too long')
    },
  }
  expect(() => sim.run()).toThrow('too long')
  expect(sim.events).toBe(2 * 2 ** 14)
})

test('a random stream depends on its name and the seed alone', () => {
  const a = new Simulator(1)
  const b = new Simulator(1)
  b.random('other').uint32()
  expect(a.random('lan/loss').bytes(8)).toEqual(b.random('lan/loss').bytes(8))
  expect(new Simulator(2).random('lan/loss').bytes(8)).not.toEqual(new Simulator(1).random('lan/loss').bytes(8))
  expect(a.random('lan/loss')).toBe(a.random('lan/loss'))
})

test('drive: promises hold the clock, in the order in which they were given', async () => {
  const { sim, seen, note } = recorder()
  const later = (turns: number): Promise<void> =>
    turns === 0 ? Promise.resolve() : Promise.resolve().then(() => later(turns - 1))
  sim.at(5, 'slow', () => sim.hold(later(20), note('slow')))
  sim.at(5, 'fast', () => sim.hold(later(1), note('fast')))
  sim.at(5, 'failing', () => sim.hold(Promise.reject(new Error('its own affair')), note('failing')))
  sim.at(6, 'after', note('after'))
  expect(await drive(sim, 10)).toBe(false)
  expect([seen, sim.nowNs]).toEqual([['slow@5', 'fast@5', 'failing@5', 'after@6'], 10])
})

test('drive ends where its condition holds; run refuses while a promise holds the clock', async () => {
  const { sim, seen, note } = recorder()
  for (const t of [1, 2, 3]) sim.at(t, String(t), note(String(t)))
  expect(await drive(sim, 10, () => seen.length === 2)).toBe(true)
  expect(sim.nowNs).toBe(2)
  sim.hold(Promise.resolve(), () => {})
  expect(() => sim.run()).toThrow(AssertionFailed)
})

test('a trace calls nobody until somebody listens, and nobody who has left', () => {
  const trace = new Trace<number>()
  const got: number[] = []
  const end = trace.listen((n) => {
    got.push(n)
    if (n === 1) end()
  })
  trace.listen((n) => got.push(n * 10))
  trace.emit(1)
  trace.emit(2)
  expect([got, trace.listeners]).toEqual([[1, 10, 20], 1])
})
