/**
 * What articles in one file are made of, into build/standalone: `--mode page` makes the page's script and style, all in
 * one; `--mode make` the Node module that puts an article into them.
 */
import { fileURLToPath } from 'node:url'
import { paraglideVitePlugin } from '@inlang/paraglide-js'
import { svelte, vitePreprocess } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'
import main from './vite.config.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig(({ mode }) => {
  const page = mode === 'page'
  return {
    configFile: false,
    publicDir: false,
    plugins: [
      paraglideVitePlugin({
        project: './project.inlang',
        outdir: './src/lib/paraglide',
        strategy: ['globalVariable', 'baseLocale'],
      }),
      ...(page ? [svelte({ configFile: false, preprocess: vitePreprocess() })] : []),
    ],
    resolve: {
      alias: [
        ...(main.resolve!.alias as { find: RegExp; replacement: string }[]),
        { find: '$lib', replacement: here('src/lib') },
      ],
    },
    // A classic script: a page from disk may not start modules.
    worker: { format: 'iife' as const, rollupOptions: { output: { codeSplitting: false } } },
    build: {
      outDir: 'build/standalone',
      emptyOutDir: page,
      cssCodeSplit: false,
      assetsInlineLimit: 10_000_000,
      modulePreload: false,
      ...(page ? {} : { ssr: true }),
      rollupOptions: {
        input: here(page ? 'src/standalone/page.ts' : 'src/standalone/make.ts'),
        output: {
          codeSplitting: !page,
          entryFileNames: '[name].js',
          chunkFileNames: '[name]-[hash].js',
          assetFileNames: 'page[extname]',
        },
      },
    },
    ssr: { noExternal: [/^(?!node:|elkjs|shiki|just-bash)/u] },
  }
})
