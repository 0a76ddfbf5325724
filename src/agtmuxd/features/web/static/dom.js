// Small helpers for the page: templates, text, keyed lists. No markup is ever made of text.

// Characters that hide or reorder text: control, invisible and bidirectional ones, as the command line removes them.
const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udc7f]/g;

export const block = (value) => String(value ?? "").replace(/\t/g, "    ").replace(HIDDEN, "");
export const line = (value) => block(value).replace(/\s*\n\s*/g, " ").trim();

export const part = (name, root = document) => root.querySelector(`[data-f="${name}"]`);
export const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

// Returns a function that finds the named parts of an element, each one once.
export function parts(root) {
	const found = new Map();
	return (name) => {
		if (!found.has(name)) found.set(name, part(name, root));
		return found.get(name);
	};
}

export function put(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

export function show(element, visible) {
	if (element.hidden === visible) element.hidden = !visible;
}

// Puts text, and shows the element only if there is some.
export function fill(element, text) {
	put(element, text ?? "");
	show(element, Boolean(text));
}

export function attr(element, name, value) {
	if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function make(tag, text = "", more = {}) {
	const element = document.createElement(tag);
	if (text !== "") element.textContent = text;
	for (const [name, value] of Object.entries(more)) element.setAttribute(name, value);
	return element;
}

// What this browser keeps under a name. null if it keeps nothing.
export function kept(name, value) {
	try {
		if (value !== undefined) localStorage.setItem(name, value);
		return localStorage.getItem(name);
	} catch {
		return null;
	}
}

const lists = new WeakMap();

// Makes the children of `parent` those of `items`. An element stays while its key stays, and so do focus and typed text.
// Returns whether any element was added, removed or moved.
export function keyed(parent, items, key, create, update) {
	const before = lists.get(parent) ?? new Map();
	const after = new Map(items.map((item) => [key(item), before.get(key(item))]));
	let moved = false;
	for (const [name, element] of before) {
		if (!after.has(name)) {
			element.remove();
			moved = true;
		}
	}
	let at = parent.firstElementChild;
	for (const item of items) {
		const element = after.get(key(item)) ?? create(item);
		after.set(key(item), element);
		if (element === at) at = at.nextElementSibling;
		else {
			parent.insertBefore(element, at);
			moved = true;
		}
		update(element, item);
	}
	lists.set(parent, after);
	return moved;
}

export function linesInto(parent, texts) {
	keyed(parent, texts.map((text, n) => [n, text]), ([n]) => n, () => make("li"), (element, [, text]) => put(element, text));
}
