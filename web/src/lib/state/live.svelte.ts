/**
 * A value that is asked for again and again. What was known stays while it cannot be renewed, with the failure and its age beside it.
 *
 * Nothing is asked while the page is hidden; it is renewed at once when the page is seen again.
 */
import { Failure } from '#lib/api/client.ts';

export interface Pace {
	/** ms from an answer to the next question; Infinity asks until the first answer only. */
	every: number;
	/** ms from a failure to the next try. */
	retry: number;
}

export class Live<T> {
	value = $state.raw<T>();
	failure = $state.raw<Failure>();
	/** Wall clock in seconds: of the last answer, of the first failure since then, and of now, which moves with every turn. */
	answered = $state(0);
	failing = $state(0);
	now = $state(Date.now() / 1000);
	tries = $state(0);

	readonly #ask: (signal: AbortSignal) => Promise<T>;
	readonly #pace: Pace;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#stop = new AbortController();
	#asking = false;

	constructor(ask: (signal: AbortSignal) => Promise<T>, pace: Pace) {
		this.#ask = ask;
		this.#pace = pace;
	}

	/** Starts asking; the answer ends it. Made for $effect. */
	run(): () => void {
		const stop = new AbortController();
		this.#stop = stop;
		const seen = () => {
			if (document.visibilityState === 'visible' && this.#timer === undefined && this.#due()) this.again();
		};
		document.addEventListener('visibilitychange', seen, { signal: stop.signal });
		this.again();
		return () => {
			stop.abort();
			clearTimeout(this.#timer);
			this.#timer = undefined;
			this.#asking = false;
		};
	}

	/** Asks now, whatever the pace says. */
	again = (): void => {
		if (this.#asking) return;
		clearTimeout(this.#timer);
		this.#timer = undefined;
		void this.#turn(this.#stop.signal);
	};

	async #turn(signal: AbortSignal): Promise<void> {
		this.#asking = true;
		try {
			this.value = await this.#ask(signal);
			this.answered = Date.now() / 1000;
			this.failure = undefined;
			this.tries = 0;
		} catch (error) {
			if (signal.aborted) return;
			if (this.failure === undefined) this.failing = Date.now() / 1000;
			this.failure = error instanceof Failure ? error : new Failure('This page failed to read the answer.');
			this.tries += 1;
		}
		this.#asking = false;
		this.now = Date.now() / 1000;
		if (!signal.aborted && this.#due())
			this.#timer = setTimeout(this.#wake, this.failure === undefined ? this.#pace.every : this.#pace.retry);
	}

	#wake = (): void => {
		this.#timer = undefined;
		if (document.visibilityState === 'visible') this.again();
	};

	#due(): boolean {
		return this.failure !== undefined || this.#pace.every !== Infinity;
	}
}
