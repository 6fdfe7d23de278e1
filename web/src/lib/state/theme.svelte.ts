/** The chosen theme, kept in this browser; static/theme.js applies it before the first paint. */

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEPT = 'hsadmin-theme';

class Chosen {
	theme = $state<Theme>(applied());

	next(): void {
		this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length] ?? 'system';
		if (this.theme === 'system') delete document.documentElement.dataset['theme'];
		else document.documentElement.dataset['theme'] = this.theme;
		try {
			if (this.theme === 'system') localStorage.removeItem(KEPT);
			else localStorage.setItem(KEPT, this.theme);
		} catch {
			// storage is shut: the choice lasts as long as the page
		}
	}
}

function applied(): Theme {
	return THEMES.find((theme) => theme === document.documentElement.dataset['theme']) ?? 'system';
}

export const chosen = new Chosen();
