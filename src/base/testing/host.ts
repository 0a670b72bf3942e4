/** The little of Node that a test helper needs; undefined in a browser. Typed here, since rooms compile without Node. */
interface Files {
  existsSync(path: string | object): boolean
  readFileSync(path: string | object, encoding: 'utf8'): string
  writeFileSync(path: string | object, text: string): void
  mkdirSync(path: string | object, options: { recursive: boolean }): void
}

interface Process {
  env: Record<string, string | undefined>
  getBuiltinModule?(name: string): unknown
}

const process = (globalThis as unknown as { process?: Process }).process

/** An environment variable. */
export function environment(name: string): string | undefined {
  return process?.env[name]
}

/** node:fs. */
export function files(): Files | undefined {
  return process?.getBuiltinModule?.('node:fs') as Files | undefined
}
