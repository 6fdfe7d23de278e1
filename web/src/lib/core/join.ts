/**
 * How a device joins this server, system by system, as data: the page only lays it out, and the words and commands are tested here.
 *
 * Order: Tailscale first, then (self-signed servers only) trust, then the join. A running tailscaled reads certificate authorities once, so every
 * way to trust ends with a restart of it.
 */
import type { System } from './platform.ts';
import type { PublicServer } from './server.ts';

/** Something to copy; `label` says what it is to somebody who cannot see where it stands, `caption` stands above it where there are several. */
export interface Command {
	label: string;
	caption?: string;
	text: string;
}

export interface Link {
	label: string;
	href: string;
	/** File name under which it is saved; null when it is a page to go to. */
	download: string | null;
}

export interface Step {
	title: string;
	text: string;
	/** What to tap, one after the other, where there is nothing to type. */
	taps?: readonly string[];
	links?: readonly Link[];
	commands?: readonly Command[];
}

export const CA_FILE = 'hsadmin-ca.crt';

export function stepsFor(system: System, server: PublicServer): Step[] {
	const make = STEPS[system];
	const trust = server.caUrl === null ? [] : [trustStep(system, server.caUrl)];
	return [make.install(server), ...trust, ...make.join(server), LAST[system]];
}

interface Way {
	install: (server: PublicServer) => Step;
	join: (server: PublicServer) => Step[];
}

const newEnough = (server: PublicServer) => `Version ${server.minimumClient} or newer.`;
const login = (server: PublicServer, before = '') => `${before}tailscale up --login-server ${server.loginServer}`;
const page = (label: string, href: string): Link => ({ label, href, download: null });
const address = (server: PublicServer): Command => ({ label: 'server address', text: server.loginServer });
const WITH_KEY = 'It prints a link to open. With a pre-auth key, add --auth-key and the key: then there is no link.';

const STEPS: Readonly<Record<System, Way>> = {
	linux: {
		install: (server) => ({
			title: 'Install Tailscale',
			text: `From your distribution, or with the script of the makers. ${newEnough(server)}`,
			commands: [{ label: 'install command', text: 'curl -fsSL https://tailscale.com/install.sh | sh' }]
		}),
		join: (server) => [{ title: 'Join this server', text: WITH_KEY, commands: [{ label: 'join command', text: login(server, 'sudo ') }] }]
	},
	macos: {
		install: (server) => ({
			title: 'Install Tailscale',
			text: `The package of the makers, or the App Store. ${newEnough(server)}`,
			links: [page('Download Tailscale', 'https://tailscale.com/download/macos')]
		}),
		join: (server) => [
			{
				title: 'Join this server',
				text: `In a terminal. ${WITH_KEY}`,
				commands: [{ label: 'join command', text: login(server) }],
				links: [page('Or join with a profile, without a terminal', `${server.loginServer}/apple`)]
			}
		]
	},
	windows: {
		install: (server) => ({
			title: 'Install Tailscale',
			text: newEnough(server),
			links: [page('Download Tailscale', 'https://tailscale.com/download/windows')]
		}),
		join: (server) => [
			{ title: 'Join this server', text: `In a terminal. ${WITH_KEY}`, commands: [{ label: 'join command', text: login(server) }] }
		]
	},
	ios: {
		install: (server) => ({
			title: 'Install Tailscale',
			text: `On an iPhone, iPad or Apple TV. ${newEnough(server)}`,
			links: [page('Open in the App Store', 'https://apps.apple.com/app/tailscale/id1470499037')]
		}),
		join: (server) => [
			{
				title: 'Join this server',
				text: 'On an Apple TV the field is in Settings, Apps, Tailscale; then open Tailscale and sign in.',
				taps: ['Tailscale', 'the picture at the top right', 'Log in…', 'the three dots at the top right', 'Use custom coordination server'],
				commands: [address(server)]
			}
		]
	},
	android: {
		install: (server) => ({
			title: 'Install Tailscale',
			text: `From Google Play or F-Droid. ${newEnough(server)}`,
			links: [
				page('Google Play', 'https://play.google.com/store/apps/details?id=com.tailscale.ipn'),
				page('F-Droid', 'https://f-droid.org/packages/com.tailscale.ipn/')
			]
		}),
		join: (server) => [
			{
				title: 'Join this server',
				text: 'With a pre-auth key, choose Use an auth key in the same menu afterwards.',
				taps: ['Tailscale', 'Settings', 'Accounts', 'the three dots at the top right', 'Use an alternate server'],
				commands: [address(server)]
			}
		]
	},
	container: {
		install: (server) => ({
			title: 'Make a volume for its state',
			text: `Otherwise each start is a new device. Docker is shown; Podman takes the same words. ${newEnough(server)}`,
			commands: [{ label: 'volume command', text: 'docker volume create tailscale' }]
		}),
		join: (server) => [
			{
				title: 'Start it with a pre-auth key',
				text: 'A container has no browser: ask whoever runs this server for a pre-auth key.',
				commands: [{ label: 'run command', text: containerRun(server) }]
			}
		]
	}
};

const LAST: Readonly<Record<System, Step>> = (() => {
	const approve =
		'It shows a code. Send it to whoever runs this server; once they let the device in, it is connected. With a pre-auth key there is nothing to do.';
	const open = { title: 'Open the link it gives you', text: approve };
	return {
		linux: open,
		macos: open,
		windows: open,
		ios: { title: 'Sign in', text: approve },
		android: { title: 'Sign in', text: approve },
		container: {
			title: 'See that it is connected',
			text: 'Its own address and the devices that it sees.',
			commands: [{ label: 'status command', text: 'docker exec tailscale tailscale status' }]
		}
	};
})();

function containerRun(server: PublicServer): string {
	const trusts = server.caUrl !== null;
	return [
		'docker run -d --name tailscale --hostname my-container',
		'-v tailscale:/var/lib/tailscale',
		'-e TS_STATE_DIR=/var/lib/tailscale',
		...(trusts ? [`-v "$PWD/${CA_FILE}:/${CA_FILE}:ro"`, `-e SSL_CERT_FILE=/${CA_FILE}`] : []),
		`-e TS_EXTRA_ARGS=--login-server=${server.loginServer}`,
		'-e TS_AUTHKEY=PRE-AUTH-KEY',
		'tailscale/tailscale:stable'
	].join(' \\\n  ');
}

function trustStep(system: System, caUrl: string): Step {
	return {
		title: 'Trust this server’s certificate authority',
		links: [{ label: `Download ${CA_FILE}`, href: caUrl, download: CA_FILE }],
		...TRUST[system]
	};
}

const TRUST: Readonly<Record<System, Pick<Step, 'text' | 'taps' | 'commands'>>> = {
	linux: {
		text: 'This server signs its own certificate: only devices that trust it can join. In the folder of the download:',
		commands: [
			{
				label: 'trust command for Debian and Ubuntu',
				caption: 'Debian, Ubuntu',
				text: `sudo cp ${CA_FILE} /usr/local/share/ca-certificates/ \\\n  && sudo update-ca-certificates \\\n  && sudo systemctl restart tailscaled`
			},
			{
				label: 'trust command for Fedora and RHEL',
				caption: 'Fedora, RHEL',
				text: `sudo cp ${CA_FILE} /etc/pki/ca-trust/source/anchors/ \\\n  && sudo update-ca-trust \\\n  && sudo systemctl restart tailscaled`
			}
		]
	},
	macos: {
		text: 'This server signs its own certificate: only devices that trust it can join. In the folder of the download, then quit Tailscale and open it again:',
		commands: [
			{
				label: 'trust command',
				text: `sudo security add-trusted-cert -d -r trustRoot \\\n  -k /Library/Keychains/System.keychain ${CA_FILE}`
			}
		]
	},
	windows: {
		text: 'This server signs its own certificate: only devices that trust it can join. In PowerShell as administrator, in the folder of the download:',
		commands: [{ label: 'trust command', text: `certutil -addstore -f Root ${CA_FILE}\nRestart-Service Tailscale` }]
	},
	ios: {
		text: 'This server signs its own certificate: only devices that trust it can join. Download it with Safari, then in Settings:',
		taps: ['Profile Downloaded, Install', 'General', 'About', 'Certificate Trust Settings', 'switch it on']
	},
	android: {
		text: 'This server signs its own certificate: only devices that trust it can join. Many Android versions keep such a certificate from apps; then this server needs a publicly trusted one.',
		taps: ['Settings', 'Security', 'Encryption & credentials', 'Install a certificate', 'CA certificate']
	},
	container: {
		text: 'This server signs its own certificate: only devices that trust it can join. Leave the file in the folder where you run the next command.'
	}
};
