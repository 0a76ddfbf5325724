// The stream of rows: one connection for all tabs, closed while no tab is looked at. The tab that holds the lock reads
// the stream and passes each line on. The next one goes on from the same cursor.

import { keyOf } from "./rows.js";

export class Feed extends EventTarget {
	rows = new Map();
	targets = null; // the last answer of /v1/targets
	status = "connecting"; // connecting, live, lost, paused, unlinked
	asOf = null; // ms, by the daemon's clock: when the last line was written
	#api;
	#leading = null; // the signal of the run in which this tab reads the stream itself
	#cursor = null;
	#skew = 0;
	#abort = null;
	#channel = new BroadcastChannel("agtmux");

	constructor(api) {
		super();
		this.#api = api;
		this.#channel.onmessage = (event) => this.#hear(event.data);
		document.addEventListener("visibilitychange", () => this.look());
		addEventListener("pagehide", () => this.stop());
		addEventListener("pageshow", () => this.look());
		setInterval(() => this.#checkTargets(), 10000);
	}

	get leads() {
		return this.#leading !== null;
	}

	// Seconds since 1970, by the daemon's clock.
	now() {
		return (Date.now() + this.#skew) / 1000;
	}

	get manyTargets() {
		return new Set([...this.rows.values()].map((row) => row.identity.target)).size > 1;
	}

	find(target, paneId) {
		for (const row of this.rows.values()) {
			if (row.identity.target === target && row.identity.pane_id === paneId) return row;
		}
		return null;
	}

	look() {
		if (document.hidden || !this.#api.linked) this.stop();
		else this.#start();
	}

	stop() {
		if (this.#abort === null) return;
		this.#abort.abort();
		this.#abort = null;
		this.#set("paused");
	}

	unlink() {
		this.stop();
		this.rows.clear();
		this.#cursor = null;
		this.#set("unlinked");
	}

	announce() {
		this.#channel.postMessage({ linked: true });
	}

	#start() {
		if (this.#abort !== null) return;
		const abort = new AbortController();
		this.#abort = abort;
		this.#set("connecting");
		this.#channel.postMessage({ ask: true });
		const lead = () => this.#lead(abort.signal);
		if (navigator.locks === undefined) lead();
		else navigator.locks.request("agtmux-stream", { signal: abort.signal }, lead).catch(() => {});
		this.#checkTargets();
	}

	async #lead(signal) {
		let pause = 500;
		this.#leading = signal;
		while (!signal.aborted) {
			try {
				await this.#read(signal);
				pause = 500;
			} catch (error) {
				if (signal.aborted || error.status === 401) break;
				if (error.code === "E_CURSOR_INVALID") this.#cursor = null;
			}
			if (signal.aborted) break;
			this.#set("lost");
			await new Promise((done) => setTimeout(done, pause * (0.75 + Math.random() / 2)));
			pause = Math.min(pause * 2, 4000);
		}
		if (this.#leading === signal) this.#leading = null;
	}

	async #read(signal) {
		const cursor = this.#cursor === null ? "" : `&cursor=${encodeURIComponent(this.#cursor)}`;
		for await (const line of this.#api.lines(`/v1/watch?scope=panes${cursor}`, signal)) {
			if (line !== null) {
				this.#channel.postMessage({ line });
				this.#take(line);
			} else if (this.#cursor !== null) this.#set("live"); // what was missed comes at once, if anything was
		}
	}

	#take(line) {
		this.#skew = Date.parse(line.emitted_at) - Date.now();
		this.asOf = Date.parse(line.emitted_at);
		if (line.type === "snapshot") this.rows = new Map(line.items.map((item) => [keyOf(item.identity), item]));
		for (const change of line.changes ?? []) {
			const key = keyOf(change.identity);
			if (change.op === "delete") this.rows.delete(key);
			else this.rows.set(key, change.item);
		}
		if (line.type !== "reset") {
			this.#cursor = line.cursor;
			this.status = "live";
		} else if (line.reason !== "shutdown") this.#cursor = null;
		this.#changed();
	}

	#hear(message) {
		if (message.linked) this.dispatchEvent(new Event("linked"));
		if (this.#abort === null) return;
		if (message.ask && this.leads) {
			this.#channel.postMessage({ all: { rows: [...this.rows.values()], cursor: this.#cursor, status: this.status, asOf: this.asOf } });
		}
		if (this.leads) return;
		if (message.all) {
			this.rows = new Map(message.all.rows.map((item) => [keyOf(item.identity), item]));
			this.#cursor = message.all.cursor;
			this.asOf = message.all.asOf;
			this.#set(message.all.status);
		}
		if (message.line) this.#take(message.line);
		if (message.status) this.#set(message.status);
	}

	#set(status) {
		this.status = status;
		if (this.leads && (status === "lost" || status === "live")) this.#channel.postMessage({ status });
		this.#changed();
	}

	#changed() {
		this.dispatchEvent(new Event("change"));
	}

	async #checkTargets() {
		if (this.#abort === null) return;
		try {
			this.targets = await this.#api.get("/v1/targets");
		} catch {
			this.targets = null;
		}
		this.#changed();
	}
}
