import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
	{ ignores: ['.svelte-kit/', 'build/', 'test-results/'] },
	js.configs.recommended,
	...ts.configs.strict,
	...ts.configs.stylistic,
	...svelte.configs.recommended,
	{ languageOptions: { globals: { ...globals.browser, ...globals.node } } },
	{ files: ['**/*.svelte', '**/*.svelte.ts'], languageOptions: { parserOptions: { parser: ts.parser } } },
	{
		files: ['src/**'],
		rules: {
			'no-console': 'error',
			'svelte/no-at-html-tags': 'error',
			'svelte/require-each-key': 'error',
			'svelte/button-has-type': 'error'
		}
	},
	{
		// Rules that a pure part keeps: no browser, no clock, no randomness.
		files: ['src/lib/core/**'],
		rules: {
			'no-restricted-globals': ['error', 'window', 'document', 'navigator', 'location', 'fetch', 'localStorage'],
			'no-restricted-properties': [
				'error',
				{ object: 'Date', property: 'now', message: 'core is pure: pass the time in' },
				{ object: 'Math', property: 'random', message: 'core is pure: pass it in' }
			]
		}
	}
);
