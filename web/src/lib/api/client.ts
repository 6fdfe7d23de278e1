/** One way to ask the daemon: JSON in, a value of the right shape or a Failure out. */
import { ShapeError } from '#lib/core/shape.ts';

const API = '/admin/api';
const PATIENCE = 10_000; // ms

/** Why an answer is not there, in a sentence for a person; `requestId` is what the daemon's log has. */
export class Failure extends Error {
	override name = 'Failure';

	constructor(
		sentence: string,
		readonly status = 0,
		readonly requestId = ''
	) {
		super(sentence);
	}
}

/** Raises Failure only; an abort by `signal` raises what the signal says. */
export async function get<T>(path: string, read: (value: unknown) => T, signal: AbortSignal): Promise<T> {
	const response = await reach(`${API}${path}`, signal);
	const requestId = response.headers.get('x-request-id') ?? '';
	const value = await response.json().catch(() => undefined);
	signal.throwIfAborted();
	if (!response.ok) throw refusal(response, value, requestId);
	try {
		return read(value);
	} catch (error) {
		if (!(error instanceof ShapeError)) throw error;
		throw new Failure(`hsadmin answered in a way this page does not know (${error.message}). Reload the page.`, response.status, requestId);
	}
}

async function reach(url: string, signal: AbortSignal): Promise<Response> {
	const deadline = AbortSignal.timeout(PATIENCE);
	try {
		return await fetch(url, { headers: { accept: 'application/json' }, cache: 'no-store', signal: AbortSignal.any([signal, deadline]) });
	} catch {
		signal.throwIfAborted();
		throw new Failure(deadline.aborted ? `hsadmin did not answer within ${PATIENCE / 1000} s.` : 'hsadmin cannot be reached.');
	}
}

/** The daemon refuses with application/problem+json, whose `detail` is the sentence; whatever else stands in its place is named by its status. */
function refusal(response: Response, value: unknown, requestId: string): Failure {
	const detail = typeof value === 'object' && value !== null && 'detail' in value ? value.detail : undefined;
	const sentence = typeof detail === 'string' ? detail : `hsadmin answered ${response.status}.`;
	return new Failure(sentence, response.status, requestId);
}
