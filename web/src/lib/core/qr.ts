/** A QR code as one SVG path: a square per dark module, rows merged into runs. */

/** `modules[y][x]` is dark or not; the path fits a viewBox of `0 0 n n`. */
export function modulesToPath(modules: readonly (readonly boolean[])[]): string {
	return modules
		.map((row, y) =>
			runs(row)
				.map(([x, length]) => `M${x} ${y}h${length}v1h-${length}z`)
				.join('')
		)
		.join('');
}

function runs(row: readonly boolean[]): [start: number, length: number][] {
	const found: [number, number][] = [];
	for (let x = 0; x < row.length; x += 1) {
		if (!row[x]) continue;
		const last = found.at(-1);
		if (last !== undefined && last[0] + last[1] === x) last[1] += 1;
		else found.push([x, 1]);
	}
	return found;
}
