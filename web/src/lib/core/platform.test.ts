import { describe, expect, it } from 'vitest';

import { systemNamed, systemOf } from './platform.ts';

describe('systemOf', () => {
	it.each([
		['Firefox on Linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 0, 'linux'],
		['Chrome on a Chromebook', 'Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36', 0, 'linux'],
		['Safari on a Mac', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.6 Safari/605.1.15', 0, 'macos'],
		['Safari on an iPad', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.6 Safari/605.1.15', 5, 'ios'],
		['Safari on an iPhone', 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148', 5, 'ios'],
		['Edge on Windows', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Edg/140.0.0.0', 0, 'windows'],
		[
			'Edge on a Windows tablet',
			'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Edg/140.0.0.0',
			10,
			'windows'
		],
		[
			'Chrome on Android',
			'Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36',
			5,
			'android'
		],
		['nothing known', '', 0, 'linux']
	])('%s', (_, userAgent, maxTouchPoints, expected) => {
		expect(systemOf({ userAgent, maxTouchPoints })).toBe(expected);
	});
});

describe('systemNamed', () => {
	it.each([
		['windows', 'windows'],
		['Windows', undefined],
		['toString', undefined],
		['', undefined],
		[null, undefined]
	])('%s', (word, expected) => {
		expect(systemNamed(word)).toBe(expected);
	});
});
