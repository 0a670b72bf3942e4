import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { paraglideVitePlugin } from '@inlang/paraglide-js'
import { sveltekit } from '@sveltejs/kit/vite'
import { defineConfig } from 'vite'

const rooms = fileURLToPath(new URL('../src', import.meta.url))

export default defineConfig({
  plugins: [
    // The language is found in one place, src/lib/locale.ts, so the compiled messages need no strategy of their own.
    paraglideVitePlugin({
      project: './project.inlang',
      outdir: './src/lib/paraglide',
      strategy: ['globalVariable', 'baseLocale'],
    }),
    sveltekit(),
  ],
  // By floor: other packages have imports of their own that begin with #.
  resolve: {
    alias: [
      // Its variant for browsers asks the document, which a worker hasn't.
      {
        find: /^decode-named-character-reference$/u,
        replacement: createRequire(import.meta.url).resolve('decode-named-character-reference'),
      },
      {
        find: /^#((?:base|wire|machine|kernel|user|cluster|lab|article|backend|reading)\/[a-z0-9-]+)$/u,
        replacement: `${rooms}/$1/index.ts`,
      },
    ],
  },
  worker: { format: 'es' },
  server: { port: 3000, fs: { allow: ['..'] } },
})
