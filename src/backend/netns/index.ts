/**
 * Network namespaces on the Linux that one is on, as root.
 *
 * ```ts
 * const backend = createNetnsBackend()
 * const why = await backend.unavailable()
 * if (why === undefined) {
 *   const session = await backend.open(plan, { seed: 1, start: DEFAULT_START, capture: true })
 *   console.log((await session.command('client', 'ping -c 1 10.0.0.2')).output)
 *   const captures = await session.finish()
 * }
 * ```
 */
export { agentDirectory } from './agent.ts'
export { createNetnsBackend } from './backend.ts'
export { decodeBody, encodeMessage } from './protocol.ts'
export { type AgentChannel, openSession } from './session.ts'
