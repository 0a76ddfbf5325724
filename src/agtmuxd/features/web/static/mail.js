// The screen of messages to people.

import { attr, block, clone, fill, keyed, line, parts, put, show } from "./dom.js";
import { setAge } from "./rows.js";

const INBOX = "/v1/agents/person/inbox?limit=100";
const DONE = { reply: "The reply was sent.", ack: "Acknowledged." };

const delivery = (one) => one.deliveries.find((each) => each.agent_id === null);
const unread = (one) => !["read", "acked", "cancelled"].includes(delivery(one)?.state);
const letters = new WeakMap();

// One message. Its text is read once it is opened.
class Letter {
	#app;
	#of;
	#one = null;
	#reply = null; // the last reply: the same text again is sent under the same name, so it never arrives twice

	constructor(app) {
		this.#app = app;
		this.element = clone("t-letter");
		const of = this.#of = parts(this.element);
		this.element.firstElementChild.addEventListener("toggle", () => this.#open());
		of("form").addEventListener("submit", (event) => {
			event.preventDefault();
			const body = of("reply").value;
			if (this.#reply?.body !== body) this.#reply = { request_ref: crypto.randomUUID(), body };
			this.#send("reply", this.#reply);
		});
		of("ack").addEventListener("click", () => this.#send("ack"));
	}

	update(one) {
		const of = this.#of, state = delivery(one)?.state;
		this.#one = one;
		put(of("who"), line(one.sender));
		setAge(of("age"), one.created_at, this.#app.feed.now());
		const kind = one.kind.replace("_", " ");
		put(of("mark"), [unread(one) ? `unread ${kind}` : kind, one.overdue_at && "overdue", { acked: "acknowledged", cancelled: "cancelled" }[state]].filter(Boolean).join(", "));
		put(of("subject"), line(one.subject || one.preview));
		show(of("form"), this.#app.api.may("act"));
		show(of("ack"), state !== "acked");
	}

	async #open() {
		if (!this.element.firstElementChild.open) return;
		try {
			const { item } = await this.#app.api.get(`/v1/messages/${this.#one.message_id}`);
			put(this.#of("text"), block(item.body));
			show(this.#of("text"), true);
			if (unread(this.#one) && this.#app.api.may("act")) await this.#post("read");
		} catch (error) {
			this.#note(`${line(error.message)}.`, "bad");
		}
	}

	#post(verb, body = { request_ref: crypto.randomUUID() }) {
		return this.#app.api.post(`/v1/messages/${this.#one.message_id}/${verb}`, body);
	}

	async #send(verb, body) {
		try {
			await this.#post(verb, body);
			this.#note(DONE[verb], "done");
			if (verb === "reply") {
				this.#of("form").reset();
				this.#reply = null;
			}
		} catch (error) {
			this.#note(error.status < 500 ? `Nothing was done: ${line(error.message)}.` : `No answer (${line(error.message)}). Press again: nothing is done twice.`, "bad");
		}
	}

	#note(text, kind) {
		attr(this.#of("note"), "data-kind", kind);
		fill(this.#of("note"), text);
	}
}

export class MailView {
	title = "Messages";
	#app;
	#of;
	#box = null;
	#why = "";
	#first = new Map(); // whether a message was unread when it was first shown: it keeps its place after that
	#abort = null; // of the stream
	#loads = false;
	#again = false;
	#closed = new AbortController();

	constructor(app) {
		this.#app = app;
		this.element = clone("t-mail");
		this.#of = parts(this.element);
		document.addEventListener("visibilitychange", () => this.#follow(), { signal: this.#closed.signal });
	}

	close() {
		this.#closed.abort();
		this.#abort?.abort();
	}

	update() {
		this.#follow();
		const box = this.#box, first = this.#first;
		put(this.#of("sub"), this.#why ? `The messages cannot be read: ${this.#why}.` : box === null ? "" : box.items.length ? `${box.unread} unread${box.truncated ? ". Only the newest 100 are shown here; agtmux inbox has all" : ""}` : "No agent sent you a message.");
		for (const one of box?.items ?? []) if (!first.has(one.message_id)) first.set(one.message_id, unread(one));
		const items = [...box?.items ?? []].sort((one, two) => first.get(two.message_id) - first.get(one.message_id) || two.seq - one.seq);
		show(this.#of("rows"), items.length > 0);
		keyed(this.#of("rows"), items, (one) => one.message_id, () => {
			const letter = new Letter(this.#app);
			letters.set(letter.element, letter);
			return letter.element;
		}, (element, one) => letters.get(element).update(one));
	}

	// Follows the changes of messages while somebody looks at this screen.
	async #follow() {
		if (document.hidden) this.#abort?.abort();
		if (document.hidden || this.#abort || this.#closed.signal.aborted || this.#app.feed.status !== "live") return;
		const abort = this.#abort = new AbortController();
		try {
			for await (const told of this.#app.api.lines("/v1/watch?scope=coord", abort.signal)) {
				const mine = ({ kind, item }) => kind === "delivery" && !item?.agent_id;
				if (told?.type === "snapshot" || told?.changes?.some(mine)) this.#load();
			}
		} catch {
			// the line above says that the daemon does not answer
		}
		this.#abort = null;
		this.#app.later();
	}

	async #load() {
		this.#again = true;
		if (this.#loads) return;
		this.#loads = true;
		while (this.#again) {
			this.#again = false;
			try {
				this.#box = await this.#app.api.get(INBOX);
				this.#why = "";
			} catch (error) {
				this.#why = line(error.message);
			}
		}
		this.#loads = false;
		this.update();
	}
}
