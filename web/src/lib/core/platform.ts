/** Kinds of device that a person may want to connect, and which of them a browser seems to run on. */

export const SYSTEMS = ['linux', 'macos', 'windows', 'ios', 'android', 'container'] as const;
export type System = (typeof SYSTEMS)[number];

export const SYSTEM_NAMES: Readonly<Record<System, string>> = {
	linux: 'Linux',
	macos: 'macOS',
	windows: 'Windows',
	ios: 'iOS, tvOS',
	android: 'Android',
	container: 'Container'
};

export interface Visitor {
	userAgent: string;
	maxTouchPoints: number;
}

/** The visitor's own system; Linux when nothing tells. An iPad says that it is a Mac, but no Mac has a touch screen. */
export function systemOf({ userAgent, maxTouchPoints }: Visitor): System {
	if (/iPhone|iPad|iPod|Apple ?TV/.test(userAgent)) return 'ios';
	if (/Macintosh|Mac OS X/.test(userAgent)) return maxTouchPoints > 1 ? 'ios' : 'macos';
	if (userAgent.includes('Android')) return 'android';
	if (userAgent.includes('Windows')) return 'windows';
	return 'linux';
}

/** What the address bar names, if it names a system. */
export function systemNamed(word: string | null): System | undefined {
	return SYSTEMS.find((system) => system === word);
}
