import adapter from '@sveltejs/adapter-node'
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte'

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: vitePreprocess(),
  kit: {
    adapter: adapter({ out: 'build' }),
    // Nothing comes from elsewhere, nothing is inline; see src/lib/server/csp.ts.
    csp: {
      mode: 'auto',
      directives: {
        'default-src': ['self'],
        'script-src': ['self'],
        // The hash is of the style attribute of SvelteKit's own announcer, and of nothing else.
        'style-src': ['self', 'unsafe-hashes', 'sha256-S8qMpvofolR8Mpjy4kQvEm7m1q8clzU4dfDH0AmvZjo='],
        'img-src': ['self', 'data:', 'blob:'],
        'connect-src': ['self'],
        'worker-src': ['self'],
        'object-src': ['none'],
        'base-uri': ['none'],
        'form-action': ['self'],
        'frame-ancestors': ['none'],
      },
    },
    // src/lib/server/guard.ts sees to it for every method and type, and by what name the room was asked for.
    csrf: { trustedOrigins: ['*'] },
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
