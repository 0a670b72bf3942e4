/**
 * Flow handlers: what the kernel does around the handlers of an interrupt, by the way in which its controller tells of it; threads
 * for handlers; and what becomes of an interrupt that nobody wants.
 *
 * Linux 6.1 kernel/irq/chip.c: handle_edge_irq(), handle_level_irq(), handle_fasteoi_irq(); handle.c: __handle_irq_event_percpu();
 * manage.c: irq_thread(); spurious.c: note_interrupt().
 */
import type { IrqDescriptor, IrqReturn } from './irqs.ts'

/** What flow handlers need of a running kernel. */
export interface FlowHost {
  mask(descriptor: IrqDescriptor): void
  unmask(descriptor: IrqDescriptor): void
  end(descriptor: IrqDescriptor): void
  count(descriptor: IrqDescriptor): void
  step(what: string): void
  entered(descriptor: IrqDescriptor, nth: number): void
  left(descriptor: IrqDescriptor, result: IrqReturn): void
  wakeThread(descriptor: IrqDescriptor, nth: number): void
  jiffies(): number
  log(level: number, text: string): void
  switchedOff(descriptor: IrqDescriptor): void
}

/** Does what its flow asks for. */
export function handleIrq(host: FlowHost, descriptor: IrqDescriptor): void {
  if (descriptor.chip === 'XT-PIC' || descriptor.name === 'level') handleLevel(host, descriptor)
  else if (descriptor.name === 'fasteoi') handleFasteoi(host, descriptor)
  else handleEdge(host, descriptor)
}

const mayRun = ({ actions, depth }: IrqDescriptor) => actions.length > 0 && depth === 0

function handleEdge(host: FlowHost, descriptor: IrqDescriptor): void {
  host.step('handle_edge_irq')
  if (!mayRun(descriptor) || descriptor.inProgress) {
    descriptor.pending = true
    host.mask(descriptor)
    host.end(descriptor)
    return
  }
  host.count(descriptor)
  host.step('acknowledged at once: another edge can come')
  host.end(descriptor)
  do {
    if (descriptor.pending && descriptor.masked) host.unmask(descriptor)
    handleEvent(host, descriptor)
  } while (descriptor.pending && descriptor.depth === 0)
}

function handleLevel(host: FlowHost, descriptor: IrqDescriptor): void {
  host.step('handle_level_irq')
  host.step('masked and acknowledged: the line may still be high')
  host.mask(descriptor)
  host.end(descriptor)
  host.count(descriptor)
  if (!mayRun(descriptor)) {
    descriptor.pending = true
    return
  }
  handleEvent(host, descriptor)
  if (!keptMasked(descriptor)) {
    host.step('unmasked')
    host.unmask(descriptor)
  }
}

function handleFasteoi(host: FlowHost, descriptor: IrqDescriptor): void {
  host.step('handle_fasteoi_irq')
  host.count(descriptor)
  if (!mayRun(descriptor)) {
    descriptor.pending = true
    host.mask(descriptor)
    host.end(descriptor)
    return
  }
  const oneshot = descriptor.does.some(({ thread }) => thread !== undefined)
  if (oneshot) {
    host.step('masked until its thread is done')
    host.mask(descriptor)
  }
  handleEvent(host, descriptor)
  host.step('end of interrupt')
  host.end(descriptor)
  if (oneshot && descriptor.threadsRunning === 0) host.unmask(descriptor)
}

/** Whether a thread has to be done first. */
const keptMasked = (descriptor: IrqDescriptor) => descriptor.threadsRunning > 0

/** All who share it are asked, one after the other. */
function handleEvent(host: FlowHost, descriptor: IrqDescriptor): void {
  descriptor.pending = false
  descriptor.inProgress = true
  let handled = false
  let woken = false
  for (const [nth, action] of descriptor.does.entries()) {
    host.entered(descriptor, nth)
    const result = action.handler()
    host.left(descriptor, result)
    if (result === 'handled') handled = true
    if (result === 'wake') {
      woken = true
      descriptor.threadsRunning++
      host.wakeThread(descriptor, nth)
    }
  }
  noteInterrupt(host, descriptor, handled, woken)
  descriptor.inProgress = false
}

/** How many unhandled ones of how many are too many. */
const LOOK_EVERY = 100_000
const UNHANDLED_MAX = 99_900
/** Unhandled ones that are further apart are forgiven: a tenth of a second. */
const FORGIVEN_JIFFIES = 25

/** Whether it was somebody's; and if it hardly ever is, it is switched off. */
export function noteInterrupt(host: FlowHost, descriptor: IrqDescriptor, handled: boolean, woken: boolean): void {
  let unhandled = !handled
  if (woken) {
    if (handled) descriptor.threadsHandledLast = undefined
    else if (descriptor.threadsHandledLast === undefined) {
      // What its thread will say is looked at when the next one comes.
      descriptor.threadsHandledLast = descriptor.threadsHandled
      return
    } else {
      unhandled = descriptor.threadsHandled === descriptor.threadsHandledLast
      descriptor.threadsHandledLast = descriptor.threadsHandled
    }
  }
  if (unhandled) {
    const now = host.jiffies()
    descriptor.unhandled = now > descriptor.lastUnhandled + FORGIVEN_JIFFIES ? 1 : descriptor.unhandled + 1
    descriptor.lastUnhandled = now
  }
  if (descriptor.unhandled === 0) return
  if (++descriptor.spuriousCount < LOOK_EVERY) return
  descriptor.spuriousCount = 0
  if (descriptor.unhandled > UNHANDLED_MAX) {
    host.log(3, `irq ${descriptor.irq}: nobody cared (try booting with the "irqpoll" option)`)
    host.log(3, 'handlers:')
    for (const name of descriptor.actions) host.log(3, `[<(____ptrval____)>] ${name}`)
    host.log(0, `Disabling IRQ #${descriptor.irq}`)
    descriptor.spuriousDisabled = true
    descriptor.depth++
    host.mask(descriptor)
    host.switchedOff(descriptor)
  }
  descriptor.unhandled = 0
}

/** A thread's handler has run. Linux 6.1 kernel/irq/manage.c: irq_finalize_oneshot() */
export function threadDone(host: FlowHost, descriptor: IrqDescriptor, result: IrqReturn): void {
  if (result === 'handled') descriptor.threadsHandled++
  descriptor.threadsRunning--
  if (descriptor.threadsRunning === 0 && descriptor.masked && descriptor.depth === 0) host.unmask(descriptor)
}
