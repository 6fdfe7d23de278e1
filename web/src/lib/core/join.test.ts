import { describe, expect, it } from 'vitest';

import { stepsFor } from './join.ts';
import { SYSTEMS } from './platform.ts';
import type { PublicServer } from './server.ts';

const SERVER: PublicServer = {
	loginServer: 'https://hs.alder.example',
	name: 'hs.alder.example',
	tls: 'files',
	caUrl: null,
	relay: true,
	minimumClient: '1.80',
	loopback: false
};
const SELF_SIGNED: PublicServer = { ...SERVER, tls: 'self-signed', caUrl: 'https://hs.alder.example/admin/api/public/ca.pem' };

describe.each(SYSTEMS)('stepsFor %s', (system) => {
	it('names this server in something to copy, and the oldest client that works', () => {
		const steps = stepsFor(system, SERVER);
		expect(steps.flatMap((step) => step.commands ?? []).some(({ text }) => text.includes(SERVER.loginServer))).toBe(true);
		expect(steps.some(({ text }) => text.includes('1.80 or newer'))).toBe(true);
	});

	it('asks for trust before the join, only when the server signs for itself', () => {
		const trusts = (server: PublicServer) => stepsFor(system, server).map(({ title }) => title.startsWith('Trust'));
		expect(trusts(SERVER)).not.toContain(true);
		expect(trusts(SELF_SIGNED).indexOf(true)).toBe(1);
		const step = stepsFor(system, SELF_SIGNED)[1];
		expect(step?.text).toContain('only devices that trust it can join');
		expect(step?.links).toEqual([{ label: 'Download hsadmin-ca.crt', href: SELF_SIGNED.caUrl, download: 'hsadmin-ca.crt' }]);
	});

	it('gives every command a name of its own', () => {
		const labels = stepsFor(system, SELF_SIGNED).flatMap((step) => (step.commands ?? []).map(({ label }) => label));
		expect(new Set(labels).size).toBe(labels.length);
	});
});

describe('stepsFor', () => {
	it.each([
		['linux', 'sudo tailscale up --login-server https://hs.alder.example'],
		['macos', 'tailscale up --login-server https://hs.alder.example'],
		['windows', 'tailscale up --login-server https://hs.alder.example'],
		['ios', 'https://hs.alder.example'],
		['android', 'https://hs.alder.example']
	] as const)('%s joins with %s', (system, command) => {
		expect(stepsFor(system, SERVER).flatMap((step) => (step.commands ?? []).map(({ text }) => text))).toContain(command);
	});

	it('tells a container about the authority by a file and a variable', () => {
		const run = (server: PublicServer) =>
			stepsFor('container', server)
				.flatMap((step) => (step.commands ?? []).map(({ text }) => text))
				.join('\n');
		expect(run(SERVER)).not.toContain('SSL_CERT_FILE');
		expect(run(SELF_SIGNED)).toContain('-v "$PWD/hsadmin-ca.crt:/hsadmin-ca.crt:ro" \\\n  -e SSL_CERT_FILE=/hsadmin-ca.crt');
	});
});
