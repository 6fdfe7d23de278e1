/**
 * What every page test asserts without saying so: no error in the console, no violation of the policy, nothing asked of another origin.
 *
 * `page` comes watched; `excuse` names console errors that a test brings about on purpose; `look` judges the page with axe in both themes and
 * leaves pictures of it. axe and pictures go through the debugging protocol, because the page's own policy would refuse what helpers inject.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { type CDPSession, expect, type Page, test as base } from '@playwright/test';

const WEB = join(__dirname, '../../web');
const AXE = readFileSync(join(WEB, 'node_modules/axe-core/axe.min.js'), 'utf8');
const PICTURES = join(WEB, 'test-results/pictures');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'];
const WIDTHS = [1280, 768, 360];

interface Watched {
	/** Console errors that match are this test's own doing. */
	excuse: (pattern: RegExp) => void;
	/** Paths asked so far, in order. */
	asked: string[];
	look: (name: string) => Promise<void>;
}

export const test = base.extend<Watched & { excused: RegExp[] }>({
	excused: async ({}, use) => {
		await use([]);
	},
	excuse: async ({ excused }, use) => {
		await use((pattern) => excused.push(pattern));
	},
	asked: async ({}, use) => {
		await use([]);
	},
	page: async ({ page, baseURL, excused, asked }, use) => {
		const wrong: string[] = [];
		const own = new URL(baseURL ?? '').origin;
		page.on('request', (request) => {
			const url = new URL(request.url());
			if (url.protocol === 'data:') return;
			if (url.origin === own) asked.push(url.pathname);
			else wrong.push(`asked ${request.url()}`);
		});
		page.on('pageerror', (error) => wrong.push(`uncaught ${error.message}`));
		page.on('console', (message) => {
			if (message.type() !== 'error' && message.type() !== 'warning') return;
			if (!excused.some((pattern) => pattern.test(message.text()))) wrong.push(`${message.type()} ${message.text()}`);
		});
		await page.exposeFunction('policyRefused', (what: string) => wrong.push(`policy ${what}`));
		await page.addInitScript(() => {
			const refused = (globalThis as unknown as { policyRefused: (what: string) => void }).policyRefused;
			addEventListener('securitypolicyviolation', (event) => {
				refused(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
			});
		});
		await use(page);
		expect(wrong, 'what a page must not do').toEqual([]);
	},
	look: async ({ page }, use) => {
		await use((name) => look(page, name));
	}
});

export { expect };

async function look(page: Page, name: string): Promise<void> {
	const session = await page.context().newCDPSession(page);
	await evaluate(session, AXE);
	for (const colorScheme of ['light', 'dark'] as const) {
		await page.emulateMedia({ colorScheme });
		for (const width of WIDTHS) {
			await page.setViewportSize({ width, height: width === 360 ? 740 : 900 });
			const wide = await page.evaluate(() => document.documentElement.scrollWidth);
			expect(wide, `${name} must not scroll sideways at ${width} px`).toBeLessThanOrEqual(width);
			expect(await faults(session), `axe on ${name}, ${colorScheme}, ${width} px`).toEqual([]);
			await picture(session, `${name}-${colorScheme}-${width}`);
		}
	}
	await session.detach();
}

async function faults(session: CDPSession): Promise<string[]> {
	const found = await evaluate(
		session,
		`axe.run(document, { runOnly: { type: 'tag', values: ${JSON.stringify(TAGS)} } }).then((result) =>
			result.violations.flatMap((rule) => rule.nodes.map((node) => rule.id + ' at ' + node.target.join(' ') + ': ' + node.failureSummary)))`
	);
	return found as string[];
}

async function picture(session: CDPSession, name: string): Promise<void> {
	const { data } = await session.send('Page.captureScreenshot', {
		captureBeyondViewport: true
	});
	mkdirSync(PICTURES, { recursive: true });
	writeFileSync(join(PICTURES, `${name}.png`), Buffer.from(data, 'base64'));
}

async function evaluate(session: CDPSession, expression: string): Promise<unknown> {
	const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
		expression,
		awaitPromise: true,
		returnByValue: true
	});
	if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
	return result.value;
}
