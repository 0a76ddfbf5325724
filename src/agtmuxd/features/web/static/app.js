// Starts the page: links this browser, opens the stream, and shows the screen that the address names.

import { Api } from "./api.js";
import { attr, clone, kept, line, part, put, show } from "./dom.js";
import { Feed } from "./feed.js";
import { MailView } from "./mail.js";
import { age, seconds } from "./rows.js";
import { AllView, HealthView, ListView, time } from "./views.js";
import { PaneView } from "./pane.js";

const HOLDS = "agtmux-hold";

class App {
	api = new Api();
	feed = new Feed(this.api);
	#view = null;
	#drawn = false;
	#later = null;
	#needs = null;
	#told = 0; // when #tell last told the daemon (ms)

	start() {
		this.api.onUnlinked = (why) => this.#unlinked(why);
		this.feed.addEventListener("change", () => this.draw());
		this.feed.addEventListener("linked", () => {
			this.api.reload();
			this.route();
		});
		addEventListener("hashchange", () => this.#moved());
		setInterval(() => this.#tick(), 1000);
		this.#moved();
	}

	get holds() {
		return kept(HOLDS) === "yes";
	}

	set holds(on) {
		kept(HOLDS, on ? "yes" : "no");
	}

	forget() {
		this.api.forget();
		this.feed.announce();
		this.#unlinked("this browser forgot its token. Run agtmux web revoke to make it void");
	}

	// Draws again in a second: something that is shown now goes then.
	later() {
		this.#later ??= setTimeout(() => {
			this.#later = null;
			this.draw();
		}, 1000);
	}

	draw() {
		if (this.#drawn) return;
		this.#drawn = true;
		requestAnimationFrame(() => {
			this.#drawn = false;
			this.#status();
			this.#view?.update();
			if (this.#view) document.title = `${this.#needs ? `(${this.#needs}) ` : ""}${this.#view.title} · agtmux`;
		});
	}

	#moved() {
		const code = location.hash.match(/^#k=(.+)$/);
		if (code === null) return this.route();
		history.replaceState(null, "", location.pathname);
		return this.#link(code[1]);
	}

	async #link(code) {
		try {
			await this.api.link(code);
			this.feed.announce();
		} catch (error) {
			if (!this.api.linked) return this.#unlinked(line(error.message));
		}
		this.route();
	}

	#unlinked(why) {
		this.feed.unlink();
		this.api.forget();
		const element = clone("t-link");
		put(part("why", element), line(why));
		part("form", element).addEventListener("submit", (event) => {
			event.preventDefault();
			this.#link(part("code", element).value.trim().replace(/^.*#k=/, ""));
		});
		this.#put({ element, title: "Not linked", update() {} });
	}

	route() {
		if (!this.api.linked) {
			this.#unlinked("this browser is not linked yet");
			return;
		}
		this.feed.look();
		const [page = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
		let words;
		try {
			words = rest.map(decodeURIComponent);
		} catch {
			words = [];
		}
		const make = {
			s: () => new ListView(this, "session", ...words), w: () => new ListView(this, "window", ...words),
			p: () => new PaneView(this, ...words), sessions: () => new ListView(this, "sessions"), health: () => new HealthView(this),
			mail: () => new MailView(this),
		}[words.length === (page.length === 1 ? 2 : 0) ? page : ""];
		this.#put(make ? make() : new AllView(this));
		for (const link of document.querySelectorAll("[data-page]")) {
			if (link.dataset.page === (page || "all")) link.setAttribute("aria-current", "page");
			else link.removeAttribute("aria-current");
		}
	}

	#put(view) {
		const first = this.#view === null;
		this.#view?.close?.();
		this.#view = view;
		const main = document.getElementById("main");
		main.replaceChildren(view.element);
		view.update();
		this.#status();
		if (!first) {
			main.focus({ preventScroll: true });
			scrollTo(0, 0);
		}
		this.draw();
	}

	#status() {
		const { status, asOf } = this.feed, element = part("status");
		const text = {
			live: "Live,", connecting: "Connecting", paused: "Paused", unlinked: "Not linked",
			lost: asOf === null ? "The daemon does not answer. Trying again." : `The daemon does not answer. This is how it was at ${time(asOf)}. Trying again.`,
		}[status];
		attr(element, "data-status", status);
		put(element, text);
		put(part("asOf"), status === "live" ? `as of ${time(asOf)}` : "");
		document.body.classList.toggle("old", status === "lost");
		const needs = [...this.feed.rows.values()].filter((row) => row.attention === "needs_action").length;
		put(part("needs"), String(needs));
		show(part("needs"), needs > 0);
		if (this.#needs !== null && needs > this.#needs) put(part("say"), `${needs} need you`);
		this.#needs = needs;
	}

	#tick() {
		if (document.hidden) return;
		this.#tell();
		const now = this.feed.now();
		for (const element of document.querySelectorAll("[data-since]")) {
			if (element.dataset.since) put(element, age(seconds(element.dataset.since), now));
		}
	}

	// Tells the daemon which panes a person sees.
	#tell() {
		const panes = this.#view?.seen ?? [];
		if (!panes.length || !document.hasFocus() || Date.now() - this.#told < 15000) return;
		this.#told = Date.now();
		this.api.post("/v1/notify/look", { panes, surface: "web" }).catch(() => {});
	}
}

const app = new App();
app.start();
