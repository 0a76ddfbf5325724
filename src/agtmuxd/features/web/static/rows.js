// What a row of the stream says, in words, and its element.

import { attr, block, clone, fill, line, parts, put } from "./dom.js";

export const GLYPHS = { error: "✗", waiting_approval: "!", waiting_input: "?", running: "●", completed: "✓", idle: "○", unknown: "~" };
export const ORDER = Object.keys(GLYPHS);
const WAITING = new Set(["waiting_approval", "waiting_input"]);
const LASTING = ["always", "ask again", "for this session", "for the session", "all edits", "auto", "from now on", "for all"];

export const waits = (row) => WAITING.has(row.state);
export const lasts = (option) => LASTING.some((word) => option.toLowerCase().includes(word));
export const keyOf = (identity) => JSON.stringify([identity.target, identity.session_name, identity.window_id, identity.pane_id]);
export const stateWord = (row) => String(row.state ?? "no agent").replace("_", " ");
export const seconds = (stamp) => (stamp ? Date.parse(stamp) / 1000 : null);

export function age(since, now) {
	if (since === null) return "";
	const past = Math.max(0, Math.floor(now - since));
	if (past < 60) return `${past}s`;
	if (past < 3600) return `${Math.floor(past / 60)}m`;
	if (past < 86400) return `${Math.floor(past / 3600)}h${String(Math.floor((past % 3600) / 60)).padStart(2, "0")}m`;
	return `${Math.floor(past / 86400)}d`;
}

export const place = (row) => line(`${row.identity.session_name}:${row.window_index ?? ""}.${row.pane_index ?? ""}`);
export const agent = (row) => line([row.agent_type ?? row.command ?? "-", row.agent?.name ?? row.agent_name].join(" "));
export const link = (...words) => `#/${words.map(encodeURIComponent).join("/")}`;
export const paneLink = ({ target, pane_id: id }) => link("p", target, id);

export function where(row, manyTargets) {
	const work = line(row.branch ? `${row.project} (${row.branch})` : row.project);
	return [manyTargets ? line(row.identity.target) : "", work, place(row)].filter(Boolean).join(" · ");
}

export function request(row) {
	const wanted = row.waiting_for ?? {};
	return {
		kind: wanted.kind, subject: line(wanted.subject), text: block(wanted.text), fingerprint: wanted.fingerprint ?? null,
		options: (wanted.options ?? []).map(line),
	};
}

export function what(row) {
	const { subject, text } = request(row);
	const asked = [subject, line(text)].filter(Boolean).join(": ");
	if (asked) return asked;
	if (row.stuck) return line(row.stuck.reason);
	if (row.state === "error" || row.state === "unknown") {
		return [row.detail || row.reason_code, row.task || row.title].map(line).filter(Boolean).join(": ");
	}
	const wanted = row.state === "running" ? ["task", "title", "message"] : ["message", "task", "title"];
	return wanted.map((name) => line(row[name])).find(Boolean) ?? "";
}

const rank = (row) => (row.attention === "needs_action" ? 0 : 1);
const stamp = (row) => (row.attention === "none" ? row.since : row.attention_since ?? row.since) ?? "~";

export function inOrder(rows) {
	return [...rows].sort((one, two) =>
		rank(one) - rank(two) || ORDER.indexOf(one.state) - ORDER.indexOf(two.state)
		|| stamp(one).localeCompare(stamp(two)) || keyOf(one.identity).localeCompare(keyOf(two.identity)));
}

export function mark(row, now) {
	const marks = [];
	if (row.attention === "review") marks.push(row.stuck ? "stuck" : "to review");
	const { asks, mail } = row;
	if (asks) {
		const kind = asks.kind.replace("_", " ");
		marks.push(`${asks.overdue ? `overdue ${kind}` : `${kind} to you`}${asks.count > 1 ? ` and ${asks.count - 1} more` : ""}`);
	}
	if (mail?.unread) marks.push(`${mail.unread} unread`);
	if (mail?.dead) marks.push(`${mail.dead} not delivered`);
	if (row.muted_until && seconds(row.muted_until) > now) marks.push("muted");
	if (row.background_tasks) marks.push(`${row.background_tasks} in background`);
	if (row.last_known) marks.push(`last known ${line(row.last_known.state)}`);
	return marks.join(", ");
}

// An element with an age. `tick` of app.js keeps it up to date.
export function setAge(element, since, now) {
	element.dataset.since = since ?? "";
	put(element, age(seconds(since), now));
}

export function setChip(of, row) {
	attr(of("chip"), "data-state", row.state ?? "none");
	put(of("glyph"), GLYPHS[row.state] ?? "–");
	put(of("state"), stateWord(row));
}

const found = new WeakMap();

export function makeRow() {
	const element = clone("t-row");
	found.set(element, parts(element));
	return element;
}

export function updateRow(element, row, feed) {
	const of = found.get(element);
	attr(element.firstElementChild, "href", paneLink(row.identity));
	setChip(of, row);
	setAge(of("age"), row.since, feed.now());
	put(of("who"), agent(row));
	put(of("where"), where(row, feed.manyTargets));
	fill(of("what"), what(row));
	fill(of("mark"), mark(row, feed.now()));
}
