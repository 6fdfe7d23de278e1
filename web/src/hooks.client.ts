import type { HandleClientError } from '@sveltejs/kit';

/** A path that no page has is no fault of the page; anything else belongs in the browser's console, where a report can quote it. */
export const handleError: HandleClientError = ({ error, status, message }) => {
	// eslint-disable-next-line no-console -- the one place
	if (status !== 404) console.error(error);
	return { message };
};
