/** The calls that pages make, by name. */
import { readPublicServer } from '#lib/core/server.ts';
import { readStatus } from '#lib/core/status.ts';

import { get } from './client.ts';

export const publicServer = (signal: AbortSignal) => get('/public/server', readPublicServer, signal);
export const status = (signal: AbortSignal) => get('/status', readStatus, signal);
