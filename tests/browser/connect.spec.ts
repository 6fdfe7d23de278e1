import type { Page } from '@playwright/test';

import { expect, test } from './watch';

const SERVER = '/admin/api/public/server';
const PUBLIC = /^\/admin\/(connect|_app\/immutable\/.+|api\/public\/.+|theme\.js|favicon\.svg)$/;
const ALDER = {
	login_server: 'https://hs.alder.example',
	tls: 'files',
	ca: '',
	relay: true,
	minimum_client: '1.80'
};
const SYSTEMS = ['Linux', 'macOS', 'Windows', 'iOS, tvOS', 'Android', 'Container'];

const tab = (page: Page, name: string) => page.getByRole('tab', { name, exact: true });
const answer = (page: Page, server: object) => page.route(`**${SERVER}`, (route) => route.fulfill({ json: server }));

test('shows how to join this very server, and loads only what is public', async ({ page, asked, look }) => {
	await page.goto('/admin/connect');
	const { login_server: server } = await (await page.request.get(SERVER)).json();
	await expect(page.getByRole('tab')).toHaveText(SYSTEMS);
	await tab(page, 'Linux').click();
	await expect(page.getByRole('tabpanel')).toContainText(`sudo tailscale up --login-server ${server}`);
	await expect(
		page.getByRole('img', {
			name: /QR code of this page: http.*\/admin\/connect$/
		})
	).toBeVisible();
	await expect(page.getByRole('contentinfo')).toContainText(server);
	await look('connect');
	expect(asked.filter((path) => !PUBLIC.test(path))).toEqual([]);
});

test('says without TLS that connections are direct only', async ({ page }) => {
	await answer(page, {
		...ALDER,
		login_server: 'http://127.0.0.1:8080',
		tls: 'off',
		relay: false
	});
	await page.goto('/admin/connect');
	await expect(page.getByText('direct connections only; relay needs TLS')).toBeVisible();
	await expect(page.getByText('This address works on this machine only.')).toBeVisible();
});

test.describe('opens on the visitor’s own system', () => {
	const agents = {
		Linux: 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
		macOS: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15',
		Windows: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
		'iOS, tvOS': 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
		Android: 'Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36'
	};
	for (const [name, userAgent] of Object.entries(agents)) {
		test.describe(name, () => {
			test.use({ userAgent, viewport: { width: 360, height: 740 } });
			test('is chosen, and in view on a phone', async ({ page }) => {
				await page.goto('/admin/connect');
				await expect(tab(page, name)).toHaveAttribute('aria-selected', 'true');
				await expect(tab(page, name)).toBeInViewport({ ratio: 1 });
			});
		});
	}
});

test('keeps the chosen system in the address', async ({ page }) => {
	await answer(page, ALDER);
	await page.goto('/admin/connect?os=windows');
	await expect(tab(page, 'Windows')).toHaveAttribute('aria-selected', 'true');
	await tab(page, 'Container').click();
	await expect(page).toHaveURL(/\/admin\/connect\?os=container$/);
	await page.reload();
	await expect(tab(page, 'Container')).toHaveAttribute('aria-selected', 'true');
	await expect(page.getByRole('tabpanel')).toContainText('TS_EXTRA_ARGS=--login-server=https://hs.alder.example');
});

test('works by keyboard alone', async ({ page }) => {
	await answer(page, ALDER);
	await page.goto('/admin/connect?os=linux');
	await expect(tab(page, 'Linux')).toBeVisible();
	await page.keyboard.press('Tab');
	await expect(page.getByRole('link', { name: 'Skip to content' })).toBeInViewport();
	await page.keyboard.press('Enter');
	await expect(page.getByRole('main')).toBeFocused();
	await page.keyboard.press('Tab');
	await expect(tab(page, 'Linux')).toBeFocused();
	for (const [key, name] of [
		['ArrowRight', 'macOS'],
		['ArrowRight', 'Windows'],
		['ArrowLeft', 'macOS'],
		['End', 'Container'],
		['ArrowRight', 'Linux'],
		['ArrowLeft', 'Container'],
		['Home', 'Linux']
	] as const) {
		await page.keyboard.press(key);
		await expect(tab(page, name)).toBeFocused();
		await expect(tab(page, name)).toHaveAttribute('aria-selected', 'true');
	}
	await expect(page).toHaveURL(/os=linux$/);
	await page.getByText('It says that the server cannot be reached').press('Enter');
	await expect(page.getByText('Your network may hold back long-lived connections.')).toBeVisible();
});

test('copies a command, and shows that it did', async ({ page, context }) => {
	await context.grantPermissions(['clipboard-read', 'clipboard-write']);
	await answer(page, ALDER);
	await page.goto('/admin/connect?os=linux');
	const button = page.getByRole('button', { name: 'Copy join command' });
	const before = await button.innerHTML();
	await button.click();
	await expect(button).toHaveClass(/done/);
	expect(await button.innerHTML()).not.toBe(before);
	await expect(page.getByRole('status').filter({ hasText: 'Copied' })).toHaveCount(1);
	expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('sudo tailscale up --login-server https://hs.alder.example');
	await expect(button).not.toHaveClass(/done/);
});

test('copies without the clipboard API, as on plain http from another machine', async ({ page }) => {
	await page.addInitScript(() => {
		Object.defineProperty(navigator, 'clipboard', { value: undefined });
		addEventListener('copy', () => {
			(globalThis as unknown as { copied: string }).copied = (document.activeElement as HTMLTextAreaElement).value;
		});
	});
	await answer(page, ALDER);
	await page.goto('/admin/connect?os=ios');
	const button = page.getByRole('button', { name: 'Copy server address' });
	await button.press('Enter');
	await expect(button).toHaveClass(/done/);
	await expect(button).toBeFocused();
	expect(await page.evaluate(() => (globalThis as unknown as { copied: string }).copied)).toBe('https://hs.alder.example');
});

test('marks the text when nothing can be copied', async ({ page }) => {
	await page.addInitScript(() => {
		Object.defineProperty(navigator, 'clipboard', { value: undefined });
		document.execCommand = () => false;
	});
	await answer(page, ALDER);
	await page.goto('/admin/connect?os=android');
	await page.getByRole('button', { name: 'Copy server address' }).click();
	await expect(page.getByText('Press Ctrl+C', { exact: true })).toBeVisible();
	expect(await page.evaluate(() => getSelection()?.toString())).toBe('https://hs.alder.example');
});

test('makes a device trust a server that signs for itself', async ({ page, look }) => {
	await answer(page, {
		...ALDER,
		tls: 'self-signed',
		ca: '/admin/api/public/ca.pem'
	});
	await page.goto('/admin/connect?os=linux');
	for (const [at, name] of SYSTEMS.entries()) {
		await tab(page, name).click();
		await expect(page.getByRole('tabpanel').getByRole('heading').nth(1)).toHaveText('Trust this server’s certificate authority');
		await expect(page.getByRole('tabpanel')).toContainText('only devices that trust it can join');
		const link = page.getByRole('link', { name: 'Download hsadmin-ca.crt' });
		await expect(link).toHaveAttribute('href', 'https://hs.alder.example/admin/api/public/ca.pem');
		await expect(link).toHaveAttribute('download', 'hsadmin-ca.crt');
		if (at === 0) await look('connect-self-signed');
	}
});

test('nothing moves while it loads', async ({ page }) => {
	let let_go = () => {};
	const held = new Promise<void>((resolve) => (let_go = resolve));
	await page.route(`**${SERVER}`, async (route) => {
		await held;
		await route.fulfill({ json: { ...ALDER, tls: 'off', relay: false } });
	});
	await page.goto('/admin/connect?os=linux');
	const panel = page.getByRole('tabpanel');
	const before = await panel.boundingBox();
	let_go();
	await expect(panel).toContainText('--login-server');
	const after = await panel.boundingBox();
	expect({ x: after?.x, y: after?.y, width: after?.width }).toEqual({
		x: before?.x,
		y: before?.y,
		width: before?.width
	});
	expect(Math.abs((after?.height ?? 0) - (before?.height ?? 0))).toBeLessThan(45);
});

test('says what failed, and goes on by itself or at once', async ({ page, excuse, look }) => {
	excuse(/503/);
	let refused = 0;
	await page.route(`**${SERVER}`, (route) =>
		route.fulfill({
			status: 503,
			contentType: 'application/problem+json',
			headers: { 'x-request-id': 'K7QX2' },
			json: {
				title: 'Service Unavailable',
				status: 503,
				detail: `hsadmin is starting (${++refused}).`,
				code: 'starting'
			}
		})
	);
	await page.goto('/admin/connect?os=linux');
	await expect(page.getByText('hsadmin is starting (1).')).toBeVisible();
	await expect(page.getByText('Request K7QX2')).toBeVisible();
	await look('connect-failed');
	await expect(page.getByText('hsadmin is starting (2).')).toBeVisible();
	await page.unroute(`**${SERVER}`);
	await answer(page, ALDER);
	await page.getByRole('button', { name: 'Try now' }).click();
	await expect(page.getByRole('tabpanel')).toContainText('--login-server https://hs.alder.example');
	await expect(page.getByText('hsadmin is starting')).toHaveCount(0);
});

test('refuses an address that a shell would read as more than an address', async ({ page }) => {
	await answer(page, {
		...ALDER,
		login_server: 'https://hs.example/$(reboot)'
	});
	await page.goto('/admin/connect?os=linux');
	await expect(page.getByText('login_server is not a plain web address')).toBeVisible();
	await expect(page.getByText('reboot')).toHaveCount(0);
});

test('keeps the chosen theme', async ({ page }) => {
	await page.emulateMedia({ colorScheme: 'light' });
	await page.goto('/admin/connect');
	const ground = () => page.evaluate(() => getComputedStyle(document.querySelector('.shell') ?? document.body).backgroundColor);
	const toggle = page.getByRole('button', { name: 'Theme: system' });
	await expect(toggle).toBeVisible();
	const light = await ground();
	await toggle.click();
	await page.getByRole('button', { name: 'Theme: light' }).click();
	await expect(page.getByRole('button', { name: 'Theme: dark' })).toBeVisible();
	expect(await ground()).not.toBe(light);
	await page.reload();
	await expect(page.getByRole('button', { name: 'Theme: dark' })).toBeVisible();
	await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
	await page.getByRole('button', { name: 'Theme: dark' }).click();
	expect(await ground()).toBe(light);
	await expect(page.locator('html')).not.toHaveAttribute('data-theme');
});
