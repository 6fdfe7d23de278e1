/** What the daemon knows of itself: GET /admin/api/status, read into what the page shows. */
import { fields, type Fields, flag, list, number, numberOrNull, oneOf, text } from './shape.ts';

export const PHASES = [
	'idle',
	'preparing',
	'starting',
	'ready',
	'backing-off',
	'crash-loop',
	'unavailable',
	'stopping',
	'stopped'
] as const;
export type Phase = (typeof PHASES)[number];

/** Shapes of states, see ui/State.svelte. */
export type Mark = 'ok' | 'off' | 'wait' | 'warn' | 'bad' | 'run';

/** How each phase is shown: its shape, its word, and the sentence that is the page's title. */
export const PHASE_LOOKS: Readonly<Record<Phase, { mark: Mark; word: string; verdict: string }>> = {
	idle: { mark: 'off', word: 'Not started', verdict: 'headscale is not started yet' },
	preparing: { mark: 'run', word: 'Preparing', verdict: 'headscale is being prepared' },
	starting: { mark: 'run', word: 'Starting', verdict: 'headscale is starting' },
	ready: { mark: 'ok', word: 'Running', verdict: 'The server is well' },
	'backing-off': { mark: 'warn', word: 'Ended, starts again', verdict: 'headscale ended and is about to start again' },
	'crash-loop': { mark: 'bad', word: 'Ends again and again', verdict: 'headscale does not stay up' },
	unavailable: { mark: 'bad', word: 'Cannot start', verdict: 'headscale cannot be started' },
	stopping: { mark: 'run', word: 'Stopping', verdict: 'headscale is stopping' },
	stopped: { mark: 'off', word: 'Stopped', verdict: 'headscale is stopped' }
};

export interface Headscale {
	phase: Phase;
	since: number;
	version: string;
	pid: number | null;
	restarts: number;
	code: string;
	reason: string;
	lastLines: readonly string[];
	retryAt: number | null;
	warnings: readonly string[];
}

export interface OpenStream {
	id: number;
	route: string;
	peer: string;
	since: number;
	received: number;
	sent: number;
}

export interface Listening {
	address: string;
	tls: boolean;
	purpose: string;
}

export interface Status {
	version: string;
	started: number;
	uptime: number;
	publicUrl: string;
	headscale: Headscale;
	/** Open now; `oldest` lists only the first of them. */
	streams: { total: number; byRoute: readonly (readonly [route: string, count: number])[]; oldest: readonly OpenStream[] };
	listening: readonly Listening[];
	certificate: { summary: string; publiclyTrusted: boolean } | null;
	trust: readonly string[];
}

/** Raises ShapeError. */
export function readStatus(value: unknown): Status {
	const from = fields(value, 'The answer');
	const streams = fields(from['streams'], 'streams');
	const byRoute = fields(streams['by_route'], 'by_route');
	return {
		version: text(from, 'version'),
		started: number(from, 'started'),
		uptime: number(from, 'uptime'),
		publicUrl: text(from, 'public_url'),
		headscale: readHeadscale(fields(from['headscale'], 'headscale')),
		streams: {
			total: number(streams, 'total'),
			byRoute: Object.keys(byRoute).map((route) => [route, number(byRoute, route)] as const),
			oldest: each(streams, 'oldest', readStream)
		},
		listening: each(from, 'listening', readListening),
		certificate: from['certificate'] === null ? null : readCertificate(fields(from['certificate'], 'certificate')),
		trust: texts(from, 'trust')
	};
}

function readHeadscale(from: Fields): Headscale {
	return {
		phase: oneOf(from, 'phase', PHASES),
		since: number(from, 'since'),
		version: text(from, 'version'),
		pid: numberOrNull(from, 'pid'),
		restarts: number(from, 'restarts'),
		code: text(from, 'code'),
		reason: text(from, 'reason'),
		lastLines: texts(from, 'last_lines'),
		retryAt: numberOrNull(from, 'retry_at'),
		warnings: texts(from, 'warnings')
	};
}

function readStream(from: Fields): OpenStream {
	return {
		id: number(from, 'id'),
		route: text(from, 'route'),
		peer: text(from, 'peer'),
		since: number(from, 'since'),
		received: number(from, 'received'),
		sent: number(from, 'sent')
	};
}

function readListening(from: Fields): Listening {
	return { address: text(from, 'address'), tls: flag(from, 'tls'), purpose: text(from, 'purpose') };
}

function readCertificate(from: Fields): { summary: string; publiclyTrusted: boolean } {
	return { summary: text(from, 'summary'), publiclyTrusted: flag(from, 'publicly_trusted') };
}

function each<T>(from: Fields, name: string, read: (item: Fields) => T): T[] {
	return list(from[name], name).map((item, at) => read(fields(item, `${name}[${at}]`)));
}

function texts(from: Fields, name: string): string[] {
	const items = list(from[name], name);
	return items.map((_, at) => text(items as unknown as Fields, String(at)));
}
