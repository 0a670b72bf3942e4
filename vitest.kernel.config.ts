import { defineConfig } from 'vitest/config'

/** What runs on a real kernel: namespaces, and a kernel under emulation. One file at a time: each wants a core. */
export default defineConfig({
  test: {
    include: ['src/backend/{netns,qemu,conformance}/**/*.test.ts', 'src/backend/tcp-scripts/kernel.test.ts'],
    testTimeout: 1_200_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    pool: 'forks',
  },
})
