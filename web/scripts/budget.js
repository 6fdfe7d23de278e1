/**
 * What a first visit loads, gzipped, from the build's manifest: the shell that every page needs, and what each page adds to it.
 * Fails when a figure is over its budget. Builds first where there is no build.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const SHELL = 90;
const PAGE = 60; // KB
const PAGES = {}; // pages that may weigh more, by their file under src/routes: { 'policy/+page.svelte': 150 }

const CLIENT = new URL('../.svelte-kit/output/client/', import.meta.url);
const MANIFEST = new URL('.vite/manifest.json', CLIENT);
if (!existsSync(MANIFEST)) {
	const web = fileURLToPath(new URL('..', import.meta.url));
	execFileSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build'], { cwd: web, stdio: ['ignore', 'ignore', 'inherit'] });
}

const manifest = JSON.parse(readFileSync(MANIFEST, 'utf8'));
const weights = new Map();

/** Files of an entry and of all that it imports at once; what it imports later is a visit of its own. */
function closure(key, found = new Set()) {
	const chunk = manifest[key];
	if (found.has(chunk.file)) return found;
	found.add(chunk.file);
	for (const css of chunk.css ?? []) found.add(css);
	for (const imported of chunk.imports ?? []) closure(imported, found);
	return found;
}

function weight(files) {
	let sum = 0;
	for (const file of files) {
		if (!weights.has(file)) weights.set(file, gzipSync(readFileSync(new URL(file, CLIENT)), { level: 9 }).length);
		sum += weights.get(file);
	}
	return sum / 1000;
}

/** Kit makes a module for each layout and page and numbers it: which route it is stands in what it imports. */
function nodes() {
	return Object.keys(manifest).filter((key) => /generated\/client[^/]*\/nodes\/\d+\.js$/.test(key));
}

function routeOf(key) {
	const source = readFileSync(new URL(`../${key}`, import.meta.url), 'utf8');
	return /src\/routes\/([^"']+\.svelte)/.exec(source)?.[1] ?? key;
}

const keys = nodes();
const shell = new Set();
for (const key of Object.keys(manifest)) if (manifest[key].file.includes('/entry/')) closure(key, shell);
for (const key of keys) if (routeOf(key) === '+layout.svelte') closure(key, shell);

let over = 0;
function say(name, kilobytes, budget) {
	if (kilobytes > budget) over += 1;
	console.log(`${kilobytes > budget ? 'OVER' : 'ok  '} ${name.padEnd(28)} ${kilobytes.toFixed(1).padStart(6)} KB of ${budget}`);
}

say('shell', weight(shell), SHELL);
for (const key of keys) {
	const route = routeOf(key);
	if (!route.endsWith('+page.svelte')) continue;
	const added = [...closure(key)].filter((file) => !shell.has(file));
	say(route, weight(added), PAGES[route] ?? PAGE);
}
if (keys.length === 0) throw new Error('The manifest names no page: this script no longer knows how kit writes it.');
process.exit(over === 0 ? 0 : 1);
