/**
 * The whole build: SvelteKit's options stand here (and not in svelte.config.js), which is what kit 3 will ask for.
 *
 * The version of the console is that of the Python package: pages compare it with what the daemon says about itself.
 */
import { readFileSync } from 'node:fs';

import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';

const daemon = readFileSync(new URL('../hsadmin/__init__.py', import.meta.url), 'utf8');
const version = /^__version__ = "([^"]+)"$/m.exec(daemon)?.[1];
if (version === undefined) throw new Error('hsadmin/__init__.py does not say __version__ = "…"');

export default defineConfig({
	plugins: [
		tailwindcss(),
		sveltekit({
			adapter: adapter({ fallback: '200.html', precompress: true, strict: true }),
			// Absolute addresses: /admin (no slash at its end) is a page, and so is /admin/anything/deep by the fallback.
			paths: { base: '/admin', relative: false },
			version: { name: version, pollInterval: 0 },
			// The daemon sends the same policy as a header, with the hashes it reads from the pages; see hsadmin/console/pages.py.
			csp: {
				mode: 'hash',
				directives: {
					'default-src': ['none'],
					'script-src': ['self'],
					'style-src': ['self'],
					'style-src-attr': ['unsafe-inline'],
					'img-src': ['self', 'data:'],
					'font-src': ['self'],
					'connect-src': ['self'],
					'base-uri': ['none'],
					'form-action': ['none']
				}
			}
		})
	],
	build: {
		target: ['chrome123', 'edge123', 'firefox120', 'safari17.5'], // the first with light-dark(), which carries both themes
		manifest: true,
		assetsInlineLimit: 0
	},
	test: { include: ['src/**/*.test.ts'] }
});
