/** The agent as a child process of ours, and where its files are. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeBody, encodeMessage } from './protocol.ts'
import type { AgentChannel } from './session.ts'

/** The folder of the agent's files: beside this one, or, for a bundle, in the package that the bundle is in. */
export function agentDirectory(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const beside = join(here, 'agent')
  if (existsSync(join(beside, 'agent.pl'))) return beside
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'src/backend/netns/agent')
    if (existsSync(join(candidate, 'agent.pl'))) return candidate
    if (folder === dirname(folder)) throw new Error(`the lab agent is missing: no agent/agent.pl above ${here}`)
  }
}

/** A running agent: a channel, and its end. */
export interface Agent extends AgentChannel {
  /** Ends it and all that it started. */
  close(): Promise<void>
}

/** Starts an agent. It is in a session of its own, so that Ctrl-C is ours to handle, and ends when we do. */
export function startAgent(): Agent {
  const directory = agentDirectory()
  const child = spawn('perl', ['-I', directory, join(directory, 'agent.pl')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
  })
  return channelOver(child)
}

interface Waiting {
  onOutput: ((text: string) => void) | undefined
  resolve(fields: Uint8Array[]): void
  reject(error: Error): void
}

function channelOver(child: ChildProcess): Agent {
  let complaints = ''
  let received: Buffer = Buffer.alloc(0)
  let waiting: Waiting | undefined
  let last: Promise<unknown> = Promise.resolve()
  const exited = new Promise<void>((resolve) => {
    const gone = () => {
      waiting?.reject(new Error(`the lab's agent ended${complaints === '' ? '' : `: ${complaints.trim()}`}`))
      waiting = undefined
      resolve()
    }
    child.on('close', gone)
    child.on('error', (error) => {
      complaints = error.message
      gone()
    })
  })
  child.stderr!.on('data', (data: Buffer) => {
    complaints = (complaints + data.toString()).slice(-4096)
  })
  child.stdin!.on('error', () => {}) // It has ended; `close` says so.

  const heard = (fields: Uint8Array[]) => {
    const text = () => Buffer.from(fields[1] ?? []).toString()
    const kind = Buffer.from(fields[0]!).toString()
    if (kind === 'output') return waiting?.onOutput?.(text())
    const asker = waiting
    waiting = undefined
    if (kind === 'ok') asker?.resolve(fields.slice(1))
    else asker?.reject(new Error(text()))
  }
  child.stdout!.on('data', (data: Buffer) => {
    received = received.length === 0 ? data : Buffer.concat([received, data])
    while (received.length >= 4) {
      const length = received.readUInt32LE(0)
      if (received.length < 4 + length) break
      const body = received.subarray(4, 4 + length)
      received = received.subarray(4 + length)
      heard(decodeBody(body))
    }
  })

  return {
    request(fields, onOutput) {
      const answer = last.then(
        () =>
          new Promise<Uint8Array[]>((resolve, reject) => {
            if (child.exitCode !== null || child.signalCode !== null || !child.stdin!.writable) {
              return reject(new Error(`the lab's agent has ended${complaints === '' ? '' : `: ${complaints.trim()}`}`))
            }
            waiting = { onOutput, resolve, reject }
            child.stdin!.write(encodeMessage(fields))
          }),
      )
      last = answer.catch(() => {})
      return answer
    },
    async close() {
      child.stdin!.end()
      // It dies with its labs: the kernel kills what it started.
      child.kill('SIGKILL')
      await exited
    },
  }
}
