/** Times as people say them. Everything is in seconds; "now" is always passed in. */

const UNITS = [
	['d', 86_400],
	['h', 3_600],
	['min', 60],
	['s', 1]
] as const;

/** The two largest units that matter: "9 h 22 min", "41 s", "3 d 4 h". */
export function duration(seconds: number): string {
	let rest = Math.max(0, Math.floor(seconds));
	const first = UNITS.findIndex(([, size]) => rest >= size);
	if (first === -1) return '0 s';
	const words: string[] = [];
	for (const [unit, size] of UNITS.slice(first, first + 2)) {
		const count = Math.floor(rest / size);
		rest -= count * size;
		if (count > 0) words.push(`${count} ${unit}`);
	}
	return words.join(' ');
}

/** "now", "41 s ago", "in 3 min": the largest unit alone. */
export function relative(at: number, now: number): string {
	const apart = now - at;
	const [unit, size] = UNITS.find(([, length]) => Math.abs(apart) >= length) ?? ['s', 1];
	const count = Math.floor(Math.abs(apart) / size);
	if (count === 0) return 'now';
	return apart > 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
}

/** The exact time, for titles and for copying: ISO 8601 in UTC, to the second. */
export function exact(at: number): string {
	return new Date(at * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
}
