/** What this server says about itself to people who want to connect a device: GET /admin/api/public/server. */
import { address, fields, flag, oneOf, ShapeError, text } from './shape.ts';

export const TLS_MODES = ['off', 'self-signed', 'files'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

export interface PublicServer {
	/** What clients are told with --login-server; no slash at its end. */
	loginServer: string;
	/** How people call it: its host name, and its port when that is not the usual one. */
	name: string;
	tls: TlsMode;
	/** Where the certificate authority is that a device must trust first; null when there is none of our own. */
	caUrl: string | null;
	relay: boolean;
	minimumClient: string;
	/** Whether the address means "this very machine": then no other device can use it. */
	loopback: boolean;
}

/** Raises ShapeError. Addresses end up in commands that people paste into a shell, so odd ones are refused here. */
export function readPublicServer(value: unknown): PublicServer {
	const from = fields(value, 'The answer');
	const loginServer = address(text(from, 'login_server'), 'login_server').replace(/\/+$/, '');
	const tls = oneOf(from, 'tls', TLS_MODES);
	const ca = text(from, 'ca');
	if (tls === 'self-signed' && ca === '') throw new ShapeError('ca is empty, though tls is self-signed');
	const url = new URL(loginServer);
	return {
		loginServer,
		name: url.host,
		tls,
		caUrl: ca === '' ? null : address(new URL(ca, url).href, 'ca'),
		relay: flag(from, 'relay'),
		minimumClient: text(from, 'minimum_client').replace(/^v/, ''),
		loopback: isLoopback(url.hostname)
	};
}

function isLoopback(host: string): boolean {
	return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
