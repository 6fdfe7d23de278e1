import { encode } from 'uqr';
import { describe, expect, it } from 'vitest';

import { modulesToPath } from './qr.ts';

describe('modulesToPath', () => {
	it('merges what touches in a row', () => {
		expect(
			modulesToPath([
				[true, true, false, true],
				[false, false, false, false],
				[false, true, true, true]
			])
		).toBe('M0 0h2v1h-2zM3 0h1v1h-1zM1 2h3v1h-3z');
	});

	it('covers exactly the dark modules of a real code', () => {
		const { data } = encode('https://hs.alder.example/admin/connect', { ecc: 'M', border: 0 });
		const drawn = data.map((row) => row.map(() => false));
		for (const [, x, y, length] of modulesToPath(data).matchAll(/M(\d+) (\d+)h(\d+)/g))
			for (let step = 0; step < Number(length); step += 1) (drawn[Number(y)] ?? [])[Number(x) + step] = true;
		expect(drawn).toEqual(data);
	});
});
