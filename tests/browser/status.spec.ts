import { expect, test } from './watch';

const STATUS = '/admin/api/status';

test('shows what the server knows of itself, and leads to "Connect a device"', async ({ page, look }) => {
	const { version, public_url, listening } = await (await page.request.get(STATUS)).json();
	await page.goto('/admin');
	await expect(page.getByRole('contentinfo')).toContainText(`hsadmin ${version}`);
	await expect(page.getByRole('contentinfo')).toContainText(public_url);
	const sockets = page.getByRole('region', { name: 'Listening' });
	for (const { address } of listening) await expect(sockets.getByText(address, { exact: true })).toBeVisible();
	await look('status');
	await page.getByRole('link', { name: 'Connect a device' }).click();
	await expect(page).toHaveURL(/\/admin\/connect$/);
	await expect(page.getByRole('heading', { level: 1 })).toContainText('Connect this device');
});

test('shows why headscale fails, with its own last words', async ({ page, look }) => {
	const now = Date.now() / 1000;
	const status = await (await page.request.get(STATUS)).json();
	const broken = {
		...status,
		headscale: {
			...status.headscale,
			phase: 'crash-loop',
			since: now - 41,
			pid: null,
			restarts: 5,
			code: 'headscale.crash-loop',
			reason: 'headscale 0.29.3 ended with status 1 five times within 10 s.',
			retry_at: now + 16,
			last_lines: ['INF Opening database path=/var/lib/hsadmin/headscale.db', 'FTL Error initializing error="file is not a database"'],
			warnings: ['listen_addr in headscale.yaml was set back to 127.0.0.1:41234.']
		},
		streams: {
			total: 140,
			by_route: { ts2021: 100, derp: 40 },
			oldest: [
				{
					id: 1,
					route: 'ts2021',
					peer: '203.0.113.24',
					since: now - 33_720,
					received: 41_000,
					sent: 1_240_000_000
				},
				{
					id: 2,
					route: 'derp',
					peer: '2001:db8:1f:4a::7c1e',
					since: now - 90,
					received: 0,
					sent: 611
				}
			]
		}
	};
	await page.route(`**${STATUS}`, (route) => route.fulfill({ json: broken }));
	await page.goto('/admin');
	await expect(page.getByRole('heading', { level: 1 })).toHaveText('headscale does not stay up');
	await expect(page.getByText('ended with status 1 five times')).toHaveCount(2);
	await expect(page.getByText('FTL Error initializing')).toBeVisible();
	await expect(page.getByRole('row', { name: /203\.0\.113\.24/ })).toContainText('9 h 22 min');
	await expect(page.getByText('The 2 oldest of 140.')).toBeVisible();
	await look('status-crash-loop');
});

test('keeps what it knew while the server is away, and says how old it is', async ({ page, excuse, look }) => {
	excuse(/ERR_CONNECTION_REFUSED/);
	await page.goto('/admin');
	const sockets = page.getByRole('region', { name: 'Listening' }).getByRole('listitem');
	await expect(sockets.filter({ hasText: 'public' }).first()).toBeVisible();
	const known = await sockets.allTextContents();
	await page.route(`**${STATUS}`, (route) => route.abort('connectionrefused'));
	await expect(page.getByText('hsadmin cannot be reached.')).toBeVisible();
	await expect(page.getByText(/What you see is from/)).toBeVisible();
	expect(await sockets.allTextContents()).toEqual(known);
	await look('status-away');
	await page.unroute(`**${STATUS}`);
	await page.getByRole('button', { name: 'Try now' }).click();
	await expect(page.getByText('hsadmin cannot be reached.')).toHaveCount(0);
});

test('says what it may not show when the console is shut', async ({ page, excuse }) => {
	excuse(/403/);
	await page.route(`**${STATUS}`, (route) =>
		route.fulfill({
			status: 403,
			contentType: 'application/problem+json',
			json: { status: 403, detail: 'The console is shut.' }
		})
	);
	await page.goto('/admin');
	await expect(page.getByText('The console is shut.')).toBeVisible();
	await expect(page.getByRole('link', { name: 'Connect a device' })).toBeVisible();
});

test('offers a reload when the server is of another version', async ({ page }) => {
	const status = await (await page.request.get(STATUS)).json();
	await page.route(`**${STATUS}`, (route) => route.fulfill({ json: { ...status, version: '99.0.0' } }));
	await page.goto('/admin');
	await expect(page.getByText('the server is 99.0.0')).toBeVisible();
	await expect(page.getByRole('button', { name: 'Reload' })).toBeVisible();
});

test('says that there is no such page, whatever the path', async ({ page, look }) => {
	await page.goto('/admin/no/such/page');
	await expect(page.getByRole('heading', { level: 1 })).toHaveText('There is no such page');
	await look('missing');
	await page.getByRole('link', { name: 'Server status' }).click();
	await expect(page).toHaveURL(/\/admin\/?$/);
	await expect(page.getByRole('heading', { name: 'Listening' })).toBeVisible();
});
