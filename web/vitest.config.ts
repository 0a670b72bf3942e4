import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: here('.'),
  resolve: {
    alias: [
      {
        find: /^#((?:base|wire|kernel|user|lab|article|backend|reading)\/[a-z0-9-]+)$/u,
        replacement: here('../src/$1/index.ts'),
      },
      { find: '$lib', replacement: here('./src/lib') },
    ],
  },
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    // One browser and one server at a time: they are slow to start, and the machine may be small.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 240_000,
    // A browser and a busy machine: what fails for want of time passes the second time, what is broken fails again.
    retry: 1,
    // What is waited for comes when the machine has time: it may be busy.
    expect: { poll: { timeout: 15_000 } },
  },
})
