/** Readers for JSON from the daemon: a value of the right shape, or a sentence about what is wrong with it. */

export class ShapeError extends Error {
	override name = 'ShapeError';
}

export type Fields = Readonly<Record<string, unknown>>;

export function fields(value: unknown, where: string): Fields {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ShapeError(`${where} is not an object`);
	return value as Fields;
}

export function list(value: unknown, where: string): readonly unknown[] {
	if (!Array.isArray(value)) throw new ShapeError(`${where} is not a list`);
	return value;
}

export function text(from: Fields, name: string): string {
	const value = from[name];
	if (typeof value !== 'string') throw new ShapeError(`${name} is not a text`);
	return value;
}

export function textOrNull(from: Fields, name: string): string | null {
	return from[name] === null ? null : text(from, name);
}

export function number(from: Fields, name: string): number {
	const value = from[name];
	if (typeof value !== 'number' || !Number.isFinite(value)) throw new ShapeError(`${name} is not a number`);
	return value;
}

export function numberOrNull(from: Fields, name: string): number | null {
	return from[name] === null ? null : number(from, name);
}

export function flag(from: Fields, name: string): boolean {
	const value = from[name];
	if (typeof value !== 'boolean') throw new ShapeError(`${name} is neither true nor false`);
	return value;
}

export function oneOf<T extends string>(from: Fields, name: string, allowed: readonly T[]): T {
	const found = allowed.find((word) => word === from[name]);
	if (found === undefined) throw new ShapeError(`${name} is none of ${allowed.join(', ')}`);
	return found;
}

/** An http or https address without anything that a shell or a page could read as more than an address. */
export function address(value: string, name: string): string {
	if (!/^https?:\/\/[A-Za-z0-9.:[\]_-]+(\/[A-Za-z0-9._~/-]*)?$/.test(value)) throw new ShapeError(`${name} is not a plain web address`);
	return value;
}
