// The screen of one pane.

import { Card } from "./card.js";
import { attr, block, clone, fill, line, linesInto, parts, put, show } from "./dom.js";
import { age, agent, mark, place, seconds, setAge, setChip, stateWord, waits, what } from "./rows.js";
import { crumbsInto } from "./views.js";

const SCREEN_EVERY = 2000; // ms between two readings of the screen while it is open
const DONE = { prompt: "The prompt was submitted.", interrupt: "The turn was interrupted.", ack: "Marked as seen.", queue: "Queued. It is typed when the agent is ready.", messages: "The message was sent. It is typed when the agent is ready.", send: "Sent.", kill: "Done.", mute: "No notifications of it for an hour.", unmute: "Notifications are on again." };
const MUTE = 3600; // seconds

export class PaneView {
	#app;
	#target;
	#id;
	#of;
	#row = null;
	#card = null;
	#version = "";
	#screen = null; // the view-output that further readings continue
	#reads = false;
	#last = null; // the last text for the queue or as a message: again under the same name, it never arrives twice

	constructor(app, target, id) {
		this.#app = app;
		[this.#target, this.#id] = [target, id];
		this.title = line(`${target} ${id}`);
		this.element = clone("t-pane");
		const of = this.#of = parts(this.element);
		of("promptForm").addEventListener("submit", (event) => this.#submit(event));
		of("prompt").addEventListener("keydown", (event) => {
			if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) of("promptForm").requestSubmit();
		});
		for (const kind of ["interrupt", "ack"]) of(kind).addEventListener("click", (event) => this.#act(event, kind, {}));
		of("mute").addEventListener("click", (event) => this.#send(event, `notify/${this.#muted ? "unmute" : "mute"}`, { pane: this.#row.ref, ...(!this.#muted && { seconds: MUTE }) }));
		of("sendForm").addEventListener("submit", (event) => {
			const text = of("sendText").value, keys = of("sendKeys").value.split(/\s+/).filter(Boolean);
			this.#act(event, "send", { keys, enter: of("sendEnter").checked, ...(text && { text }) });
		});
		for (const button of of("kills").children) button.addEventListener("click", (event) => this.#kill(event, button));
		for (const name of ["screenPart", "whyPart", "pastPart"]) of(name).addEventListener("toggle", () => this.#read());
		this.timer = setInterval(() => this.#readScreen(), SCREEN_EVERY);
	}

	get seen() {
		return this.#row ? [this.#row.ref] : [];
	}

	close() {
		clearInterval(this.timer);
	}

	update() {
		const of = this.#of, feed = this.#app.feed, api = this.#app.api;
		const row = feed.find(this.#target, this.#id);
		crumbsInto(of("crumbs"), row ?? this.#row);
		show(of("promptForm"), row !== null && api.may("act"));
		show(of("allPart"), row !== null && api.may("all"));
		if (row === null) {
			if (this.#row === null) put(of("title"), feed.status === "live" ? `No agent runs in ${this.title}` : this.title);
			this.#card?.update(null);
			fill(of("what"), this.#row && "The agent is gone.");
			return;
		}
		this.#row = row;
		this.title = `${agent(row)} in ${place(row)}`;
		put(of("title"), this.title);
		setChip(of, row);
		setAge(of("age"), row.since, feed.now());
		fill(of("mark"), mark(row, feed.now()));
		fill(of("what"), waits(row) ? "" : what(row));
		of("interrupt").disabled = !(row.state === "running" || waits(row));
		of("ack").disabled = row.attention === "none";
		put(of("mute"), this.#muted ? "Unmute" : "Mute for an hour");
		show(of("mail"), Boolean(row.asks));
		this.#updateCard(row);
		linesInto(of("facts"), facts(row));
		const version = `${row.runtime_id} ${row.state_version} ${row.message}`;
		if (version !== this.#version) {
			this.#version = version;
			this.#readMessage();
			this.#read();
		}
	}

	#updateCard(row) {
		if (this.#card === null && waits(row)) {
			this.#card = new Card(this.#app);
			this.#of("card").append(this.#card.element);
		}
		if (this.#card === null) return;
		this.#card.update(row);
		if (this.#card.ended) this.#app.later();
		show(this.#card.element, !this.#card.over);
	}

	get #path() {
		return `/v1/panes/${encodeURIComponent(this.#row.ref)}`;
	}

	async #readMessage() {
		const { text, said_at: at } = await this.#app.api.get(`${this.#path}/message`).catch(() => ({}));
		show(this.#of("messagePart"), Boolean(text));
		put(this.#of("message"), block(text));
		put(this.#of("said"), at ? `${age(seconds(at), this.#app.feed.now())} ago` : "");
	}

	#read() {
		this.#readScreen();
		for (const [name, read] of [["why", () => this.#why()], ["past", () => this.#past()]]) {
			if (this.#row !== null && this.#of(`${name}Part`).open) {
				read().catch((error) => [error.message]).then((told) => linesInto(this.#of(name), told.map(line)));
			}
		}
	}

	async #why() {
		const told = await this.#app.api.get(`${this.#path}/explain`);
		return told.candidates.map((one) => {
			const why = one.used ? "decides" : one.discarded_because ?? (one.retired_by ? `ended by ${one.retired_by}` : "not used");
			return `${one.source} says ${one.claim ?? "nothing"} of ${one.subject}, ${one.age_s} s ago (${one.rule}): ${why}`;
		});
	}

	async #past() {
		const query = `?pane=${encodeURIComponent(this.#row.ref)}&limit=30`;
		const [actions, events] = await Promise.all(["actions", "events"].map((name) => this.#app.api.get(`/v1/${name}${query}`)));
		const told = [
			...actions.items.map((one) => [one.requested_at, `${one.action} by ${one.caller?.actor ?? one.caller?.command ?? "unknown"}: ${one.error_message ?? one.result_code ?? "in flight"}`]),
			...events.items.filter((one) => one.source !== "action").map((one) => [one.event_time, `${one.event_type}, from ${one.source}`]),
		];
		told.sort(([one], [two]) => two.localeCompare(one));
		return told.length ? told.map(([at, text]) => `${age(seconds(at), this.#app.feed.now())} ago: ${text}`) : ["Nothing yet"];
	}

	async #readScreen() {
		const of = this.#of, row = this.#row;
		if (row === null || !of("screenPart").open || document.hidden || this.#reads) return;
		this.#reads = true;
		const again = this.#screen?.runtime === row.runtime_id ? this.#screen.id : undefined;
		try {
			const told = await this.#app.api.post("/v1/actions/view-output", { ref: row.ref, request_ref: crypto.randomUUID(), again });
			this.#screen = { id: again ?? told.action_id, runtime: row.runtime_id };
			const screen = of("screen");
			const follows = screen.scrollTop + screen.clientHeight >= screen.scrollHeight - 8;
			put(screen, block(told.result.output).trimEnd());
			if (follows) screen.scrollTop = screen.scrollHeight;
			put(of("screenNote"), "");
		} catch (error) {
			this.#screen = null;
			put(of("screenNote"), line(error.message));
		}
		this.#reads = false;
	}

	#kill(event, button) {
		const [mode, signal] = button.dataset.kill.split(" ");
		const how = mode === "key" ? "Press C-c for" : `Send ${signal} to`;
		if (confirm(`${how} ${agent(this.#row)} in ${place(this.#row)}, process ${this.#row.pid ?? "unknown"}?`)) this.#act(event, "kill", { mode, signal });
	}

	get #muted() {
		return seconds(this.#row.muted_until ?? null) > this.#app.feed.now();
	}

	// The text as a prompt now, as a prompt that waits, or as a message: the button says which.
	#submit(event) {
		const text = this.#of("prompt").value, how = event.submitter?.value, ref = `runtime:${this.#row.runtime_id}`;
		if (!how) return this.#act(event, "prompt", { text });
		event.preventDefault();
		const key = JSON.stringify([how, ref, text]);
		if (this.#last?.key !== key) this.#last = { key, request_ref: crypto.randomUUID() };
		return this.#send(event, how, { request_ref: this.#last.request_ref, ...(how === "queue" ? { ref, text } : { to: [ref], body: text }) });
	}

	// One action on the agent that is shown, and on no other.
	#act(event, kind, more) {
		event.preventDefault();
		return this.#send(event, `actions/${kind}`, { ref: this.#row.ref, request_ref: crypto.randomUUID(), if_runtime: this.#row.runtime_id, ...more });
	}

	// One request. Its button waits for the answer.
	async #send(event, path, body) {
		const button = event.submitter ?? event.currentTarget, form = event.type === "submit" ? event.currentTarget : null;
		if (button.disabled) return;
		button.disabled = true;
		try {
			const { result } = await this.#app.api.post(`/v1/${path}`, body);
			const sure = result?.delivery !== "unconfirmed";
			this.#note(sure ? DONE[path.split("/").pop()] : "Sent, but nothing shows that the agent took it. Look at its screen.", sure ? "done" : "bad");
			form?.reset();
			this.#last = null;
		} catch (error) {
			this.#note(error.status < 500 ? `Nothing was done: ${line(error.message)}.` : `It may or may not be done (${line(error.message)}). Look at the screen.`, "bad");
		}
		button.disabled = false;
		this.update();
	}

	#note(text, kind) {
		attr(this.#of("note"), "data-kind", kind);
		fill(this.#of("note"), text);
	}
}

function facts(row) {
	const { target, session_name: session, pane_id: id } = row.identity;
	return [
		["Place", `${target}, session ${session}, window ${row.window_index ?? ""} ${row.window_name ?? ""}, pane ${id}`],
		["Agent", row.agent_type], ["Version", row.agent_version], ["Process", row.pid], ["Name", row.agent?.name ?? row.agent_name],
		["Project", row.project], ["Branch", row.branch], ["Worktree", row.worktree], ["Folder", row.cwd], ["Title", row.title], ["Task", row.task],
		["State", `${stateWord(row)}, confidence ${row.confidence}${row.reason_code ? `, ${row.reason_code}` : ""}`], ["Runtime", row.runtime_id],
	].filter(([, value]) => value).map(([name, value]) => `${name}: ${line(value)}`);
}
