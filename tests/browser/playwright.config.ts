/**
 * Real pages of a running hsadmin in the system's Chromium; never a browser of Playwright's own.
 *
 * HSADMIN_URL says where hsadmin is (http://127.0.0.1:8080). Pictures of every page are left in web/test-results/pictures.
 */
import { defineConfig } from '@playwright/test';

const url = process.env['HSADMIN_URL'];
if (!url) throw new Error('HSADMIN_URL must say where hsadmin listens, for example http://127.0.0.1:8080');

export default defineConfig({
	testDir: '.',
	outputDir: '../../web/test-results/output',
	forbidOnly: true,
	workers: 1,
	retries: 0,
	timeout: 30_000,
	expect: { timeout: 10_000 },
	reporter: [['list'], ['json', { outputFile: '../../web/test-results/report.json' }]],
	use: {
		baseURL: url,
		locale: 'en-GB',
		timezoneId: 'UTC',
		contextOptions: { reducedMotion: 'reduce' },
		launchOptions: {
			executablePath: process.env['HSADMIN_CHROMIUM'] ?? '/usr/bin/chromium',
			args: [
				'--no-sandbox',
				'--disable-gpu',
				'--disable-quic',
				'--no-first-run',
				'--disable-background-networking',
				'--disable-component-update',
				'--disable-sync'
			]
		}
	}
});
