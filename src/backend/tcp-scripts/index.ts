/**
 * Scripts of system calls, and of packets in and packets out, with their times: seen on Linux first, and played on the
 * simulated kernel (Node).
 *
 *     for (const script of readScripts()) {
 *       console.log(script.summary, differencesOf(script, await runSimulated(script)))
 *     }
 */
export { DEPARTURES } from './departures.ts'
export { type KernelRunner, openKernel } from './kernel.ts'
export type { Outcome } from './program.ts'
export { parseScript, type Script, ScriptError } from './script.ts'
export { readScripts } from './scripts.ts'
export { runSimulated } from './sim.ts'
export { differencesOf, renderScript } from './transcript.ts'
