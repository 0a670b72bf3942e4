/** What a console needs of the lab that it belongs to. */
import type { SimLab } from '#backend/sim'
import type { HostConsole } from './console.ts'

export interface LabPort {
  readonly lab: SimLab
  /** Shows something on a terminal, now. */
  show(host: string, text: string): void
  /** Gives a typed line to the host's shell; the console asks again when it ended. */
  begin(console: HostConsole, line: string): void
  interrupt(host: string): void
  /** A terminal was closed. */
  closed(terminal: string): void
}
