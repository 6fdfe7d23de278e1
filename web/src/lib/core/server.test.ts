import { describe, expect, it } from 'vitest';

import { readPublicServer } from './server.ts';

const GOOD = {
	login_server: 'https://hs.alder.example',
	tls: 'files',
	ca: '',
	relay: true,
	minimum_client: 'v1.80'
};

describe('readPublicServer', () => {
	it('takes what the daemon says', () => {
		expect(readPublicServer(GOOD)).toEqual({
			loginServer: 'https://hs.alder.example',
			name: 'hs.alder.example',
			tls: 'files',
			caUrl: null,
			relay: true,
			minimumClient: '1.80',
			loopback: false
		});
	});

	it.each([
		['https://hs.alder.example/', 'https://hs.alder.example', false],
		['http://127.0.0.1:8080', 'http://127.0.0.1:8080', true],
		['http://[::1]:8080', 'http://[::1]:8080', true],
		['http://localhost:8080', 'http://localhost:8080', true],
		['https://127.alder.example', 'https://127.alder.example', false]
	])('%s', (login_server, loginServer, loopback) => {
		expect(readPublicServer({ ...GOOD, login_server })).toMatchObject({ loginServer, loopback });
	});

	it.each([
		['/admin/api/public/ca.pem', 'https://hs.alder.example/admin/api/public/ca.pem'],
		['https://hs.alder.example/admin/api/public/ca.pem', 'https://hs.alder.example/admin/api/public/ca.pem']
	])('finds the authority at %s', (ca, caUrl) => {
		expect(readPublicServer({ ...GOOD, tls: 'self-signed', ca })).toMatchObject({ caUrl });
	});

	it.each([
		['a shell', { login_server: 'https://hs.example/$(reboot)' }, 'login_server is not a plain web address'],
		['quotes', { login_server: "https://hs.example/' --x" }, 'login_server is not a plain web address'],
		['a script', { login_server: 'javascript:alert(1)' }, 'login_server is not a plain web address'],
		['an unknown mode', { tls: 'acme2' }, 'tls is none of off, self-signed, files'],
		['no authority', { tls: 'self-signed' }, 'ca is empty, though tls is self-signed'],
		['a script as authority', { tls: 'self-signed', ca: 'javascript:alert(1)' }, 'ca is not a plain web address'],
		['no client version', { minimum_client: 1.8 }, 'minimum_client is not a text'],
		['no relay', { relay: 'yes' }, 'relay is neither true nor false']
	])('refuses %s', (_, change, sentence) => {
		expect(() => readPublicServer({ ...GOOD, ...change })).toThrow(sentence);
	});

	it.each([[null], [[]], ['x'], [3]])('refuses %j', (value) => {
		expect(() => readPublicServer(value)).toThrow('The answer is not an object');
	});
});
