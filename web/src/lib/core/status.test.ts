import { describe, expect, it } from 'vitest';

import { PHASE_LOOKS, PHASES, readStatus } from './status.ts';

const GOOD = {
	version: '0.1.0',
	started: 1_795_435_330.5,
	uptime: 12.25,
	public_url: 'http://127.0.0.1:8080',
	headscale: {
		phase: 'crash-loop',
		since: 1_795_435_331,
		version: '0.29.3',
		trust: null,
		pid: null,
		starts: 4,
		restarts: 3,
		code: 'headscale.crash-loop',
		reason: 'headscale ended 3 times within 10 s.',
		last_lines: ['FTL no such table: nodes'],
		retry_at: 1_795_435_340,
		warnings: ['server_url was corrected.']
	},
	streams: {
		total: 2,
		by_route: { ts2021: 1, derp: 1 },
		oldest: [{ id: 1, route: 'ts2021', peer: '192.0.2.1', since: 1_795_435_332, received: 4, sent: 5 }]
	},
	counters: { 'requests.key': 3 },
	listening: [{ address: '127.0.0.1:8080', tls: false, purpose: 'public' }],
	certificate: { summary: 'own authority', publicly_trusted: false },
	trust: ['recorded at first use']
};

describe('readStatus', () => {
	it('takes what the daemon says', () => {
		const status = readStatus(GOOD);
		expect(status.headscale).toMatchObject({ phase: 'crash-loop', lastLines: ['FTL no such table: nodes'], retryAt: 1_795_435_340 });
		expect(status.streams.byRoute).toEqual([
			['ts2021', 1],
			['derp', 1]
		]);
		expect(status.streams.oldest[0]?.peer).toBe('192.0.2.1');
		expect(status.listening).toEqual([{ address: '127.0.0.1:8080', tls: false, purpose: 'public' }]);
		expect(status.certificate).toEqual({ summary: 'own authority', publiclyTrusted: false });
	});

	it.each([
		['an unknown phase', { headscale: { ...GOOD.headscale, phase: 'asleep' } }, 'phase is none of idle'],
		['a line that is no text', { headscale: { ...GOOD.headscale, last_lines: [3] } }, '0 is not a text'],
		['no listeners', { listening: null }, 'listening is not a list'],
		['an odd listener', { listening: ['x'] }, 'listening[0] is not an object'],
		['an odd time', { uptime: Number.NaN }, 'uptime is not a number']
	])('refuses %s', (_, change, sentence) => {
		expect(() => readStatus({ ...GOOD, ...change })).toThrow(sentence);
	});

	it('has a look for every phase', () => {
		expect(Object.keys(PHASE_LOOKS).sort()).toEqual([...PHASES].sort());
	});
});
