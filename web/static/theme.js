// Before the first paint: the theme that was chosen here, else the system's. A file of its own, because no page may hold a script without a hash.
try {
	const theme = localStorage.getItem('hsadmin-theme');
	if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
	// storage is shut: follow the system
}
