// The other screens. Each shows what the feed has.

import { Card } from "./card.js";
import { attr, clone, fill, keyed, line, linesInto, make, parts, put } from "./dom.js";
import { age, inOrder, keyOf, link, makeRow, ORDER, seconds, stateWord, updateRow, waits } from "./rows.js";

const GROUPS = [
	["Asks by message", (row) => row.attention === "needs_action" && row.state !== "error" && row.asks?.attention === "needs_action"],
	["Failed", (row) => row.attention === "needs_action"],
	["To review", (row) => row.attention === "review"],
	["Running", (row) => row.state === "running"],
	["Quiet", (row) => row.state === "idle" || row.state === "completed"],
	["Other", () => true],
];
const found = new WeakMap();

function counts(rows) {
	return ORDER.map((state) => [rows.filter((row) => row.state === state).length, state])
		.filter(([n]) => n).map(([n, state]) => `${n} ${stateWord({ state })}`).join(", ");
}

export const time = (ms) => (ms === null ? "" : new Date(ms).toLocaleTimeString());

// Groups of rows: [title, rows, key].
function groupsInto(parent, groups, feed) {
	keyed(parent, groups, ([title, , key]) => key ?? title, ([title, rows]) => {
		const element = clone("t-group");
		found.set(element, parts(element));
		element.open = title !== "Quiet" || rows.length < 2;
		return element;
	}, (element, [title, rows]) => {
		const of = found.get(element);
		put(of("title"), title);
		put(of("count"), title === "Running" ? String(rows.length) : counts(rows));
		keyed(of("rows"), rows, (row) => keyOf(row.identity), makeRow, (item, row) => updateRow(item, row, feed));
	});
}

// Why it cannot be said that all is clear. "" if it can.
function doubt(feed) {
	if (feed.status !== "live") return "the page has lost the daemon";
	if (feed.targets === null) return "the targets are not known yet";
	const bad = feed.targets.items.filter((one) => one.health !== "ok" || !one.read);
	return bad.map((one) => `${line(one.target)} ${one.health === "down" ? "does not answer" : one.read ? "answers only in part" : "was not read yet"}`).join(", ");
}

export class AllView {
	title = "All agents";
	#app;
	#cards = new Map();
	#of;

	constructor(app) {
		this.#app = app;
		this.element = clone("t-all");
		this.#of = parts(this.element);
	}

	get seen() {
		return [...this.#cards.values()].flatMap(({ card }) => card.seen).slice(0, 50);
	}

	update() {
		const feed = this.#app.feed, rows = inOrder(feed.rows.values());
		const asks = (row) => row.attention === "needs_action" && waits(row);
		this.#updateCards(rows.filter(asks));
		const groups = GROUPS.map(([title]) => [title, []]);
		for (const row of rows) if (!asks(row)) groups[GROUPS.findIndex(([, fits]) => fits(row))][1].push(row);
		groupsInto(this.#of("groups"), groups.filter(([, members]) => members.length), feed);
		this.#updateClear(rows.filter((row) => row.attention === "needs_action").length);
	}

	#updateClear(needs) {
		const feed = this.#app.feed, why = doubt(feed), clear = this.#of("clear");
		put(this.#of("count"), needs ? String(needs) : "");
		attr(clear, "data-kind", why ? "" : "done");
		if (why) fill(clear, needs ? `There may be more: ${why}.` : `Nobody can say that all is clear: ${why}.`);
		else fill(clear, needs ? "" : `All clear, as of ${time(feed.asOf)}.${feed.rows.size ? "" : " No agent runs in the watched tmux servers."}`);
	}

	#updateCards(rows) {
		const asking = new Map(rows.map((row) => [keyOf(row.identity), row]));
		for (const [key, row] of asking) if (!this.#cards.has(key)) this.#cards.set(key, { card: new Card(this.#app), since: row.attention_since ?? row.since });
		for (const [key, { card }] of this.#cards) {
			card.update(asking.get(key) ?? this.#app.feed.rows.get(key) ?? null);
			if (card.over && !asking.has(key)) this.#cards.delete(key);
			else if (card.ended) this.#app.later();
		}
		const order = [...this.#cards].sort(([one, a], [two, b]) => String(a.since).localeCompare(b.since) || one.localeCompare(two));
		const moved = keyed(this.#of("cards"), order, ([key]) => key, ([, { card }]) => card.element, () => {});
		if (moved) for (const { card } of this.#cards.values()) card.arm();
	}
}

export function crumbsInto(nav, row) {
	const all = [["#/", "All"]];
	if (row) {
		const { target, session_name: session, window_id: id } = row.identity;
		all.push([link("s", target, session), line(`${target}: ${session}`)], [link("w", target, id), line(`window ${row.window_index ?? ""} ${row.window_name ?? ""}`)]);
	}
	keyed(nav, all, ([to]) => to, () => make("a"), (element, [to, text]) => {
		attr(element, "href", to);
		put(element, text);
	});
}

// All sessions, one session by windows, or one window.
export class ListView {
	#app;
	#kind;
	#of;
	#target;
	#name;

	constructor(app, kind, target, name) {
		this.#app = app;
		[this.#kind, this.#target, this.#name] = [kind, target, name];
		this.element = clone("t-list");
		this.#of = parts(this.element);
		this.title = kind === "sessions" ? "Sessions" : line(name);
	}

	update() {
		const feed = this.#app.feed, kind = this.#kind, groups = new Map();
		const mine = inOrder(feed.rows.values()).filter(({ identity }) => kind === "sessions"
			|| (identity.target === this.#target && identity[kind === "session" ? "session_name" : "window_id"] === this.#name));
		for (const row of mine) {
			const { target, session_name: session, window_id: id } = row.identity;
			const title = line(kind === "sessions" ? `${target}: ${session}` : `Window ${row.window_index ?? ""} ${row.window_name ?? ""}`);
			const key = kind === "sessions" ? title : id;
			if (!groups.has(key)) groups.set(key, [title, [], key]);
			groups.get(key)[1].push(row);
		}
		const shown = [...groups.values()].sort(([one], [two]) => one.localeCompare(two, undefined, { numeric: true }));
		if (kind === "window" && shown.length) this.title = shown[0][0];
		put(this.#of("title"), this.title);
		put(this.#of("sub"), mine.length ? "" : "No agent runs here.");
		crumbsInto(this.#of("crumbs"), kind === "window" ? mine[0] : null);
		groupsInto(this.#of("groups"), shown, feed);
	}
}

export class HealthView {
	title = "Health";
	#app;
	#of;
	#health = null;
	#why = "";

	constructor(app) {
		this.#app = app;
		this.element = clone("t-health");
		const of = this.#of = parts(this.element);
		of("hold").checked = app.holds;
		of("hold").addEventListener("change", () => { app.holds = of("hold").checked; });
		of("forget").addEventListener("click", () => app.forget());
		app.api.get("/v1/health").then((told) => { this.#health = told; }, (error) => { this.#why = line(error.message); }).then(() => this.update());
	}

	update() {
		const of = this.#of, health = this.#health, feed = this.#app.feed, device = this.#app.api.device;
		put(of("daemon"), this.#why ? `The daemon does not answer: ${this.#why}.` : health === null ? ""
			: `agtmuxd ${line(health.version)} is ${line(health.status)}, up for ${age(0, health.uptime_s)}, as of ${time(Date.parse(health.generated_at))}.`);
		linesInto(of("targets"), (feed.targets?.items ?? health?.targets ?? []).map((one) => {
			const seen = one.health === "ok" ? "" : `, last seen ${one.last_seen_at ? `${age(seconds(one.last_seen_at), feed.now())} ago` : "never"}`;
			return line(`${one.target}: ${one.read ? one.health : "not read yet"}${one.reason ? ` (${one.reason})` : ""}, ${one.agents} agents, ${one.panes} panes${seen}`);
		}));
		linesInto(of("problems"), health === null ? [] : health.last_errors.length ? health.last_errors.map(line) : ["None"]);
		put(of("device"), device ? `Linked as ${device.name}, with the scope ${device.scope}.` : "");
	}
}
