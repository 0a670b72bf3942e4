import adapter from '@sveltejs/adapter-node'
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte'

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: vitePreprocess(),
  kit: {
    adapter: adapter({ out: 'build' }),
    // Nothing comes from elsewhere. Styles may be inline: xterm.js measures and colours by them.
    csp: {
      mode: 'auto',
      directives: {
        'default-src': ['self'],
        'script-src': ['self'],
        'style-src': ['self', 'unsafe-inline'],
        'img-src': ['self', 'data:'],
        'connect-src': ['self'],
        'worker-src': ['self'],
        'object-src': ['none'],
        'base-uri': ['none'],
        'form-action': ['self'],
        'frame-ancestors': ['none'],
      },
    },
    typescript: {
      // The rooms of the house, by their names; see `imports` in the root's package.json.
      config(config) {
        config.compilerOptions.paths['#*'] = ['../../src/*/index.ts']
        config.compilerOptions.allowImportingTsExtensions = true
        config.include.push('../tests/**/*.ts', '../bench/**/*.ts')
      },
    },
  },
}
