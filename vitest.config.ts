import { defineConfig } from 'vitest/config'

/** Everything that needs no real kernel; see vitest.kernel.config.ts for what does. */
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts'],
    exclude: [
      'src/backend/{netns,qemu,conformance}/**',
      'src/backend/tcp-scripts/kernel.test.ts',
      '**/node_modules/**',
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'threads',
  },
})
