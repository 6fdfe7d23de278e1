import { describe, expect, it } from 'vitest';

import { bytes } from './bytes.ts';

describe('bytes', () => {
	it.each([
		[-1, '0 B'],
		[0, '0 B'],
		[999, '999 B'],
		[1000, '1.00 kB'],
		[88_400, '88.4 kB'],
		[999_499, '999 kB'],
		[999_500, '1.00 MB'],
		[1_240_000_000, '1.24 GB'],
		[5e18, '5000 PB']
	])('%d', (count, said) => {
		expect(bytes(count)).toBe(said);
	});
});
