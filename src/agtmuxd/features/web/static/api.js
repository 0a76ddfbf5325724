// Calls the daemon's API with this browser's token. The token lies in the storage of this address only.

import { kept } from "./dom.js";

const KEPT = "agtmux";
const QUIET = 15000; // ms without a line, heartbeats included, after which a stream counts as lost

export class ApiError extends Error {
	constructor(status, error) {
		super(error.message);
		this.status = status;
		this.code = error.code;
		this.details = error.details ?? {};
	}
}

export class Api {
	device = null;
	onUnlinked = () => {};

	constructor() {
		this.reload();
	}

	get linked() {
		return this.device !== null;
	}

	// Whether this browser's scope includes `wanted`. The daemon checks it again.
	may(wanted) {
		const scopes = ["observe", "act", "all"];
		return scopes.indexOf(this.device?.scope) >= scopes.indexOf(wanted);
	}

	reload() {
		this.device = JSON.parse(kept(KEPT));
	}

	async link(code) {
		const body = await this.#call("POST", "/v1/web/devices", { code }, null);
		this.device = { token: body.token, name: body.device.name, scope: body.device.scope };
		kept(KEPT, JSON.stringify(this.device));
	}

	forget() {
		this.device = null;
		kept(KEPT, null);
	}

	get(path) {
		return this.#call("GET", path, undefined, this.device?.token);
	}

	post(path, body) {
		return this.#call("POST", path, body, this.device?.token);
	}

	// Gives null once the stream is open, then each of its lines. Raises ApiError, TypeError without a connection, AbortError.
	async *lines(path, signal) {
		const silent = new AbortController();
		let watch = setTimeout(() => silent.abort(), QUIET);
		try {
			const answer = await fetch(`${path}&heartbeat=5s`, { signal: AbortSignal.any([signal, silent.signal]), cache: "no-store", headers: this.#headers(this.device?.token) });
			if (!answer.ok) throw await this.#refused(answer);
			yield null;
			const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
			let rest = "";
			for (;;) {
				const { value, done } = await reader.read();
				if (done) return;
				clearTimeout(watch);
				watch = setTimeout(() => silent.abort(), QUIET);
				const lines = (rest + value).split("\n");
				rest = lines.pop();
				for (const text of lines) yield JSON.parse(text);
			}
		} finally {
			clearTimeout(watch);
		}
	}

	#headers(token) {
		return token ? { Authorization: `Bearer ${token}` } : {};
	}

	async #call(method, path, body, token) {
		const headers = this.#headers(token);
		if (body !== undefined) headers["Content-Type"] = "application/json";
		const answer = await fetch(path, {
			method, headers, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body),
			signal: AbortSignal.timeout(40000),
		});
		if (!answer.ok) throw await this.#refused(answer);
		return answer.json();
	}

	async #refused(answer) {
		let error = { code: "E_INTERNAL", message: `the daemon answered ${answer.status}` };
		try {
			error = (await answer.json()).error;
		} catch {
			// no JSON: a proxy answered
		}
		if (answer.status === 401 && this.linked) this.onUnlinked(error.message);
		return new ApiError(answer.status, error);
	}
}
