"""Write the lines of the dashboard as spans: a text and the name of its style.

Pure: knows neither textual nor colours. All texts come from the model, which made them safe.
"""

from __future__ import annotations

from agtmux.render import STATES
from agtmux.top import keys
from agtmux.top import marks as mark_lines
from agtmux.top.arrange import Entry, Fold, Head
from agtmux.top.layout import STACKED
from agtmux.top.model import GLYPHS, age, counts, word
from agtmux.top.text import cut, cut_middle, fit, fit_right, width, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agtmux.top.arrange import Line
    from agtmux.top.keys import Keymap
    from agtmux.top.layout import Columns
    from agtmux.top.model import Request, Row, Target, View

Span = tuple[str, str]
Spans = tuple[Span, ...]
_SHOWN_OPTIONS = 9


def place(row: Row, room: int, *, target: bool) -> str:
    """Return a row's place in ``room`` cells. A long session name is cut, its window and pane are not."""
    session, _, index = row.place.rpartition(":")
    head = f"{row.target}/{session}" if target else session
    tail = f":{index}"
    if width(head) + width(tail) > room and room > width(tail) + 3:
        head = cut(head, room - width(tail))
    return cut(head + tail, room)


def list_line(line: Line, at: Columns, now: float, *, marked: bool, pointer: bool, target: bool, key: str) -> Spans:
    """Return one line of the list. ``key``: the key that opens a fold, as it is shown."""
    sign = "+" if marked else ">" if pointer else " "
    if isinstance(line, Head):
        return _head(line, sign)
    if isinstance(line, Fold):
        opens = f" ({key} shows them)" if key and at.what else ""
        return ((sign, "pointer"), (f"… {line.words}{opens}", "dim"))
    row = line.row
    state = f"state.{row.state}"
    spans: list[Span] = [(sign, "mark" if marked else "pointer"), (GLYPHS.get(row.state, "~"), state), (" ", "")]
    if at.word:
        spans += [(fit(word(row.state), at.word), state), (" ", "")]
    spans += [(fit(cut_middle(row.given or row.agent, at.agent), at.agent), "agent"), (" ", "")]
    sign_only = row.marks[0] if row.marks and not at.what else None
    spans += [(fit(place(row, at.place, target=target), at.place), "")]
    spans += [(sign_only.sign, sign_only.style) if sign_only is not None else (" ", "")]
    spans.append((age_text(row, now, at.age), "age"))
    if at.folder:
        spans += [(" ", ""), (fit(folder(row), at.folder), "dim")]
    if at.what:
        muted = "muted " if row.muted_until is not None and row.muted_until > now else ""
        marks = mark_lines.in_row(row.marks, at.what - len(muted))
        left = at.what - len(muted) - length(marks)
        spans += [("  ", ""), (muted, "dim"), *marks, (cut(row.what, left), "what" if row.needs_you else "")]
    return tuple(spans)


def age_text(row: Row, now: float, room: int) -> str:
    """Return the age of a row's state in ``room`` cells. Hours lose their minutes where there is no room."""
    text = age(row.waits_since if row.needs_you else row.since, now)
    return fit_right(text if len(text) <= room else text.partition("h")[0] + "h", room)


def folder(row: Row) -> str:
    """Return the project and branch of a row, or its folder."""
    name = row.project or row.cwd
    branch = row.worktree or row.branch
    return f"{name} {branch}" if branch else name


def _head(line: Head, sign: str) -> Spans:
    needs = f", {_needs(line.needs)}" if line.needs else ""
    state = f"state.{line.state}"
    return (
        (sign, "pointer"),
        (GLYPHS.get(line.state, "~"), state),
        (" ", ""),
        (line.title, "head"),
        (f"  {line.size} {word(line.state) if line.size == 1 else 'agents'}{needs}", "dim"),
    )


def _needs(count: int) -> str:
    return f"{count} need{'s' if count == 1 else ''} you"


def summary(view: View, shown: int, now: float, room: int) -> Spans:
    """Return the first line: how many agents are in which state, and which targets are not well."""
    right = "  ".join(_health(target, now) for target in view.targets if target.health not in ("ok", ""))
    name: list[Span] = [("agtmux ", "head")] if room >= STACKED else []
    for brevity in range(3):
        spans = name + _counts(view, shown, brevity)
        if length(spans) + (2 + width(right) if right else 0) <= room:
            break
    if right:
        spans += [(" " * max(2, room - length(spans) - width(right)), ""), (right, "warn")]
    return tuple(spans)


def _health(target: Target, now: float) -> str:
    seen = f" {age(target.seen, now)}" if target.seen is not None and target.health == "down" else ""
    return f"{target.name} {target.health}{seen}"


def _counts(view: View, shown: int, brevity: int) -> list[Span]:
    """Return the counts with words, with one word, or as signs alone."""
    found = counts(view.rows.values())
    spans: list[Span] = []
    if found["needs"]:
        spans.append((f" {found['needs']}!" if brevity == 2 else f" {_needs(found['needs'])} ", "needs"))
    for state in STATES:
        if found.get(state):
            text = (f"  {GLYPHS[state]} {found[state]} {word(state)}", f"  {GLYPHS[state]} {found[state]}",
                    f" {GLYPHS[state]}{found[state]}")[brevity]  # fmt: skip
            spans.append((text, f"state.{state}"))
    if found["review"]:
        spans.append((f" {found['review']} new" if brevity == 2 else f", {found['review']} not seen", "dim"))
    if not view.rows:
        spans.append((" no agents", "dim"))
    elif shown < len(view.rows):
        spans.append((f"  {shown} of {len(view.rows)} shown", "dim"))
    return spans


def banner(view: View, now: float) -> Spans:
    """Return the line that says that the daemon is gone. Empty while it is there."""
    if view.lost_at is None:
        return ()
    ago = age(view.lost_at, now)
    return (
        (f" lost the daemon {ago} ago; the rows are as old as that; trying again ", "banner"),
        (f" {view.why}", "dim"),
    )


def title(row: Row | None, room: int, *, focused: bool, target: bool) -> Spans:
    """Return the rule above the detail."""
    style = "rule.focus" if focused else "rule"
    if row is None:
        return (("─" * room, style),)
    kind = f"{row.agent} {row.version}".strip()
    name = f"{row.name} · {kind}" if row.given else kind
    text = cut(f" {name} · {place(row, 40, target=target)} · {row.pane_id} ", max(0, room - 4))
    return (("──", style), (text, "head"), ("─" * max(0, room - 2 - width(text)), style))


def rule(text: str, room: int) -> Spans:
    """Return a rule with a word in it."""
    text = cut(f" {text} ", max(0, room - 4))
    return (("──", "rule"), (text, "dim"), ("─" * max(0, room - 2 - width(text)), "rule"))


def about(row: Row, now: float, room: int) -> list[Spans]:
    """Return the first lines of the detail: the state and why, the folder, what it asks of people and its mail."""
    since = age(row.since, now)
    reason = f" ({row.reason})" if row.reason else ""
    more = f", {row.background} background task{'s' if row.background > 1 else ''}" if row.background else ""
    seen = ", not seen yet" if row.attention == "review" else ""
    first: Spans = (
        (f"{GLYPHS.get(row.state, '~')} {word(row.state)}", f"state.{row.state}"),
        (f" for {since}" if since else "", ""),
        (f"{reason}{more}{seen}", "dim"),
        (f"  {row.name}" if row.name and not row.given else "", "agent"),
    )
    branch = f" [{row.worktree or row.branch}]" if row.worktree or row.branch else ""
    project = f"{row.project}{branch}  " if row.project else ""
    second: Spans = ((cut(f"{project}{row.cwd}", room), "dim"),)
    about = [first, second] if project or row.cwd else [first]
    return about + mark_lines.in_detail(row.marks, room)


def summary_of_row(row: Row, room: int, most: int) -> list[Spans]:
    """Return what the agent asks, how it failed, what it works on or what it said last, in at most ``most`` lines."""
    if row.request is not None:
        return request_lines(row.request, room, most)
    if row.stuck:
        return [((line, "note"),) for line in wrap(f"No progress: {row.stuck}", room, min(2, most))]
    if row.state == "error" and row.detail:
        return [((line, "state.error"),) for line in wrap(row.detail, room, most)]
    if row.state == "running":
        return [((line, ""),) for line in wrap(row.task or row.title, room, min(2, most))]
    return [((line, ""),) for line in wrap(row.message or row.task, room, min(2, most))]


def request_lines(request: Request, room: int, most: int, *, numbers: bool = True) -> list[Spans]:
    """Return a request and its options in at most ``most`` lines. The options are keymap as long as there is room."""
    options = _options(request, room) if numbers else []
    options = options[: max(0, most - 1)]
    text: list[str] = []
    for line in (*((request.subject,) if request.subject else ()), *request.text):
        text += wrap(line, room, most) or ([""] if text else [])
    while text and not text[-1]:
        text.pop()
    left = max(1, most - len(options))
    if len(text) > left:
        text = [*text[: left - 1], cut(f"{text[left - 1]} …", room)]
    styles = ["subject" if n == 0 and request.subject else "what" for n in range(len(text))]
    return [((line, style),) for line, style in zip(text, styles, strict=True)] + options


def _options(request: Request, room: int) -> list[Spans]:
    lines: list[Spans] = []
    for n, option in enumerate(request.options[:_SHOWN_OPTIONS], 1):
        lasting = "  (also later ones)" if n in request.lasting else ""
        lines.append(((f" {n} ", "key"), (cut(option, max(8, room - 3 - len(lasting))), ""), (lasting, "warn")))
    if len(request.options) > _SHOWN_OPTIONS:
        lines.append(((f" … {len(request.options) - _SHOWN_OPTIONS} more", "dim"),))
    return lines


def hints(row: Row | None, keymap: Keymap, room: int, *, marked: int = 0, fold: bool = False) -> Spans:
    """Return the bar of hints: the keys that do something for this row, and always help and quit."""
    wanted: list[str] = []
    if marked:
        wanted += ["approve", "deny", "prompt", "interrupt", "mark"]
    elif row is not None:
        wanted += {
            "waiting_approval": ["approve", "deny", "answer"],
            "waiting_input": ["answer"],
            "running": ["interrupt"],
            "idle": ["prompt"],
            "completed": ["prompt"],
        }.get(row.state, [])
        wanted += (
            ["seen"] if row.attention in ("review", "needs_action") and row.state in ("completed", "error") else []
        )
        wanted += ["go", "output", "explain"]
    elif fold:
        wanted += ["fold"]
    wanted += ["filter", "next"]
    spans: list[Span] = [(f" {marked} marked", "mark")] if marked else []
    last = _hint("help", keymap) + _hint("quit", keymap)
    used = sum(width(text) for text, _ in (*spans, *last))
    for name in wanted:
        more = _hint(name, keymap)
        used += sum(width(text) for text, _ in more)
        if used <= room:
            spans += more
    return (*spans, *last)


def field_hints(room: int, *, picks: bool) -> Spans:
    """Return the bar of hints while the filter is typed: letters are text then."""
    enter, escape = ("go", "leave") if picks else ("keep", "clear")
    pairs = ((" ⏎", f" {enter} "), (" Esc", f" {escape} "), (" ↑↓", " select"))
    spans = tuple(span for key, text in pairs for span in ((key, "key"), (text, "dim")))
    return spans if length(spans) <= room else spans[:4]


def _hint(name: str, keymap: Keymap) -> list[Span]:
    if not keymap[name]:
        return []
    key = keys.BY_ID[name]
    return [(f" {keys.sign(keymap[name][0])}", "key"), (f" {key.hint or name} ", "dim")]


def length(spans: Iterable[Span]) -> int:
    """Return how many cells a line takes."""
    return sum(width(text) for text, _ in spans)


def text_of(lines: Sequence[Spans]) -> list[str]:
    """Return lines without their styles."""
    return ["".join(text for text, _ in line) for line in lines]


def empty(view: View, filtered: bool) -> list[Spans]:
    """Return what stands in place of a list without lines."""
    if filtered:
        return [(("  No agent fits this filter. Escape clears it.", "dim"),)]
    if view.lost_at is not None:
        return [(("  Nothing is known: the daemon is not there.", "dim"),)]
    return [
        (("  No agents seen.", "dim"),),
        (("  Start one in tmux, for example claude or codex. It shows up here.", "dim"),),
    ]


def is_row(line: Line | None) -> bool:
    """Return whether a line of the list is a pane."""
    return isinstance(line, Entry)
