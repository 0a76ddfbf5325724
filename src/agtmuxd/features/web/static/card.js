// The card of one request: what an agent asks, and the buttons that answer it.
//
// A press acts on the request that the card shows, never on another one. What was shown goes with it: runtime, state
// version and fingerprint. The daemon checks them on the screen again.

import { ApiError } from "./api.js";
import { attr, clone, fill, line, make, parts, put, show } from "./dom.js";
import { agent, lasts, paneLink, request, setAge, stateWord, waits, where } from "./rows.js";

const ARM = 500; // ms: a press sooner after the card moved was meant for what stood there before
const HOLD = 600; // ms
const GOES = 1500; // ms in which a request that was answered leaves the screen
const LINGER = 4000; // ms for which an answered card keeps its place
const DONE = { approve: "approved", deny: "denied", answer: "answered" };

export class Card {
	#app;
	#of;
	#row = null; // the row as the card shows it
	#asked = null;
	#sent = null; // what was sent for this request
	#ended = null; // when the request ended (ms)
	#choice = 0; // the option that waits for the second step
	#acts = 0;
	#timer;

	constructor(app) {
		this.#app = app;
		this.element = clone("t-card");
		const of = this.#of = parts(this.element);
		this.#press(of("approve"), () => this.#act("approve"), true);
		this.#press(of("deny"), () => this.#act("deny"));
		this.#press(of("confirm"), () => this.#act("answer", { option: this.#choice }));
		of("cancel").addEventListener("click", () => this.#choose(0));
		of("form").addEventListener("input", () => this.#enable());
		of("form").addEventListener("submit", (event) => {
			event.preventDefault();
			const answer = this.#answer();
			if (answer && !this.#moving) this.#act("answer", answer);
		});
	}

	// Its pane, if all of the card is on the screen.
	get seen() {
		const { top, bottom } = this.element.getBoundingClientRect();
		return top >= 0 && bottom <= innerHeight ? [this.#row.ref] : [];
	}

	get ended() {
		return this.#ended !== null;
	}

	get over() {
		return this.ended && !this.#acts && Date.now() - this.#ended > LINGER;
	}

	get #moving() {
		return this.element.classList.contains("moving");
	}

	arm() {
		this.element.classList.add("moving");
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.element.classList.remove("moving"), ARM);
	}

	// Shows `row`. Null: the agent is gone.
	update(row) {
		const now = row !== null && waits(row) ? request(row) : null;
		if (now !== null && this.#sent && !this.#sent.done && !this.#sent.failed) return; // its dialog changes while it is answered
		if (this.#asked !== null && !this.#same(row, now)) this.#end(row);
		if (now === null) return;
		const fresh = this.#asked?.fingerprint !== now.fingerprint || this.ended;
		this.#row = row;
		this.#asked = now;
		if (fresh) {
			this.#ended = null;
			this.#drawOptions();
			this.arm();
		}
		this.#draw();
	}

	// Whether the row still shows the request of this card. A request that a hook reported gets its fingerprint later.
	#same(row, now) {
		if (now === null || row.runtime_id !== this.#row.runtime_id || row.state !== this.#row.state) return false;
		if (this.#sent?.done) {
			this.#app.later();
			// It leaves the screen a moment after it was answered. Later it is the same question once more.
			if (Date.now() - this.#sent.done > GOES && row.state_version !== this.#sent.body.if_state_version) return false;
		}
		return now.fingerprint === this.#asked.fingerprint || this.#asked.fingerprint === null;
	}

	#end(row) {
		const sent = this.#sent, asks = row !== null && waits(row);
		const how = sent === null ? "answered elsewhere" : sent.failed ? "answered" : DONE[sent.kind];
		if (asks) this.#note(`The request before this one was ${how}.`);
		else if (row === null) this.#note("The agent is gone.");
		else if (sent === null || sent.done || sent.failed) this.#note(`${how}. It is ${stateWord(row)} now.`, sent?.done && "done");
		this.#asked = this.#sent = null;
		this.#ended = Date.now();
		show(this.#of("body"), false);
		attr(this.element, "data-state", "");
	}

	#draw() {
		const of = this.#of, row = this.#row, asked = this.#asked, feed = this.#app.feed;
		const approval = row.state === "waiting_approval", options = asked.options.length > 0;
		show(of("body"), !this.#sent?.done);
		attr(this.element, "aria-label", `${agent(row)} asks`);
		attr(this.element, "data-state", row.state);
		attr(of("open"), "href", paneLink(row.identity));
		put(of("who"), agent(row));
		put(of("where"), where(row, feed.manyTargets));
		setAge(of("age"), row.attention_since ?? row.since, feed.now());
		put(of("subject"), asked.subject || "It asks");
		fill(of("text"), asked.text);
		put(of("about"), [row.cwd, row.identity.target, row.agent_version && `${row.agent_type} ${row.agent_version}`].map(line).filter(Boolean).join(" · "));
		fill(of("wait"), !this.#app.api.may("act") ? "This browser may only look." : asked.fingerprint === null ? "The request is not on the agent's screen yet." : "");
		show(of("form"), this.#app.api.may("act"));
		for (const name of ["approve", "deny"]) {
			show(of(name), approval);
			attr(of(name), "aria-label", `${of(name).textContent}: ${agent(row)}, ${asked.subject || line(asked.text).slice(0, 80)}`);
		}
		show(of("options"), !approval && options);
		for (const name of ["own", "send"]) show(of(name), !approval);
		show(of("more"), approval && options);
		this.#enable();
	}

	// The options as choices of a question, or as buttons with a second step beside Approve and Deny.
	#drawOptions() {
		const of = this.#of, approval = this.#row.state === "waiting_approval", name = crypto.randomUUID();
		of("form").reset();
		for (const list of ["others", "options"]) of(list).replaceChildren();
		this.#asked.options.forEach((text, n) => {
			if (approval) {
				const button = make("button", `${n + 1}. ${text}`, { type: "button", class: "option" });
				button.addEventListener("click", () => this.#choose(n + 1));
				of("others").append(button);
			} else {
				const label = make("label", "", { class: "check" });
				label.append(make("input", "", { type: "radio", name, value: n + 1 }), `${n + 1}. ${text}`);
				of("options").append(label);
			}
		});
		this.#choose(0);
	}

	#choose(option) {
		this.#choice = option;
		const text = this.#asked.options[option - 1] ?? "";
		put(this.#of("sureText"), `Send answer ${option}, “${text}”?${lasts(text) ? " It holds for later requests too: you are not asked again." : ""}`);
		show(this.#of("sure"), option > 0);
		this.#enable();
		if (option) this.#of("confirm").focus();
	}

	#answer() {
		const text = this.#of("answer").value.trim(), picked = this.#of("options").querySelector(":checked");
		return text ? { text } : picked && { option: Number(picked.value) };
	}

	#enable() {
		const ready = Boolean(this.#asked?.fingerprint) && (this.#sent === null || this.#sent.failed);
		for (const name of ["approve", "deny", "confirm"]) this.#of(name).disabled = !ready;
		this.#of("send").disabled = !ready || !this.#answer();
	}

	// A press that counts once the card stood still. With `held` it has to be held, if the user wants that.
	#press(button, run, held = false) {
		let timer = null, fired = false;
		const stop = () => {
			clearTimeout(timer);
			timer = null;
			button.classList.remove("holding");
		};
		const start = ({ key = "Enter" }) => {
			if (!held || !this.#app.holds || timer !== null || button.disabled || this.#moving || !["Enter", " "].includes(key)) return;
			button.classList.add("holding");
			fired = false;
			timer = setTimeout(() => {
				stop();
				fired = true;
				run();
			}, HOLD);
		};
		button.addEventListener("click", () => {
			if (this.#moving) return;
			if (!held || !this.#app.holds) run();
			else if (!fired) this.#note("Hold the button until it is full.");
		});
		for (const name of ["pointerdown", "keydown"]) button.addEventListener(name, start);
		for (const name of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) button.addEventListener(name, stop);
	}

	async #act(kind, more = {}) {
		if (!this.#asked?.fingerprint || (this.#sent !== null && !this.#sent.failed)) return;
		const row = this.#row, { fingerprint } = this.#asked, last = this.#sent, same = JSON.stringify(more);
		// The same request again never acts twice, so an answer that was lost can be asked for.
		const sent = this.#sent = last?.body && last.kind === kind && last.same === same ? last : { kind, same };
		sent.failed = false;
		this.#acts++;
		this.#note("Sending");
		this.#enable();
		try {
			sent.body ??= {
				ref: row.ref, request_ref: crypto.randomUUID(), if_runtime: row.runtime_id, if_state_version: row.state_version,
				if_fingerprint: fingerprint, snapshot: await this.#snapshot(row, fingerprint), ...more,
			};
			const { result } = await this.#app.api.post(`/v1/actions/${kind}`, sent.body);
			sent.done = Date.now();
			this.#done(sent, result?.delivery !== "unconfirmed");
		} catch (error) {
			this.#failed(sent, error);
		}
		this.#acts--;
		this.#enable();
		this.#app.draw();
	}

	#done(sent, sure) {
		if (this.ended) this.#ended = Date.now();
		const before = this.#sent !== sent && this.#asked !== null;
		if (sure) this.#note(before ? `The request before this one was ${DONE[sent.kind]}.` : `It was ${DONE[sent.kind]}.`, before ? "" : "done");
		else this.#note("The keys were pressed, but nothing shows that the agent took them. Look at its pane.", "bad");
	}

	#failed(sent, error) {
		sent.failed = !(error.status < 500);
		if (!sent.failed && this.#sent === sent) this.#sent = null;
		const stale = ["E_PRECONDITION_FAILED", "E_SNAPSHOT_EXPIRED", "E_RUNTIME_STALE"].includes(error.code);
		const why = line(error.message);
		if (sent.failed) this.#note(`No answer (${why}). Press again: nothing is done twice.`, "bad");
		else this.#note(stale ? `Nothing was done. This is no longer what you saw: ${why}.` : `Nothing was done: ${why}.`, "bad");
	}

	// Reads the pane once more. Raises ApiError if it does not show the request of the card any more.
	async #snapshot(row, fingerprint) {
		const { item, snapshot } = await this.#app.api.get(`/v1/panes/${encodeURIComponent(row.ref)}/explain`);
		if (item.runtime_id !== row.runtime_id || item.waiting_for?.fingerprint !== fingerprint) {
			throw new ApiError(412, { code: "E_PRECONDITION_FAILED", message: "the agent shows something else now" });
		}
		return snapshot;
	}

	#note(text, kind = "") {
		attr(this.#of("note"), "data-kind", kind || "");
		fill(this.#of("note"), text);
	}
}
