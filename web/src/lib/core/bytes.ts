/** Amounts of data as people read them: three digits at most, a decimal unit after a space. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

export function bytes(count: number): string {
	let value = Math.max(0, count);
	let unit = 0;
	// 999.5 would round to four digits, so the next unit starts there.
	while (value >= 999.5 && unit < UNITS.length - 1) {
		value /= 1000;
		unit += 1;
	}
	const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}
