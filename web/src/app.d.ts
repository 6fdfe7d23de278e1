declare global {
	// SvelteKit reads its types from here.
	namespace App {}
}

export {};
