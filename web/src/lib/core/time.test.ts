import { describe, expect, it } from 'vitest';

import { duration, exact, relative } from './time.ts';

describe('duration', () => {
	it.each([
		[-5, '0 s'],
		[0, '0 s'],
		[0.9, '0 s'],
		[41.7, '41 s'],
		[60, '1 min'],
		[61, '1 min 1 s'],
		[33_720, '9 h 22 min'],
		[86_399, '23 h 59 min'],
		[86_400, '1 d'],
		[86_400 * 3 + 3_600 * 4 + 59, '3 d 4 h'],
		[86_400 * 3 + 59, '3 d']
	])('%d', (seconds, said) => {
		expect(duration(seconds)).toBe(said);
	});
});

describe('relative', () => {
	it.each([
		[1000, 1000.5, 'now'],
		[1000, 1041, '41 s ago'],
		[1000, 1060, '1 min ago'],
		[1000, 1000 + 86_400 * 5, '5 d ago'],
		[1200, 1000, 'in 3 min']
	])('%d seen at %d', (at, now, said) => {
		expect(relative(at, now)).toBe(said);
	});
});

describe('exact', () => {
	it('is UTC, to the second', () => {
		expect(exact(1_795_435_330.75)).toBe('2026-11-23T12:02:10Z');
	});
});
