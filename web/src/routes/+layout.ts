// Every page is a prerendered shell that fills itself in the browser; paths with ids in them get the fallback page.
export const ssr = false;
export const prerender = true;
