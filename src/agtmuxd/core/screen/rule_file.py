"""Read a rules file (TOML text) into a ``RuleSet``, or report exactly what is wrong with it.

Owns the file format: its keys, defaults and checks. Pure: takes the text and opens no path. ``rule_reader`` reads the
tables and words the errors.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agtmuxd.core.action.keys import valid_key
from agtmuxd.core.model import MS, Claim, Strength
from agtmuxd.core.screen.controls import DialogKeys, Sign
from agtmuxd.core.screen.dialog_options import DialogOptions
from agtmuxd.core.screen.field_mode import FieldMode, TextMethod
from agtmuxd.core.screen.regions import ComposerSpec, Place, squash
from agtmuxd.core.screen.rule_reader import Reader, RuleReadError, suggestion
from agtmuxd.core.screen.rules import FIRST, Count, Extract, Programs, Rule, RuleSet, SampleRef, Test
from agtmuxd.core.screen.style import ODD
from agtmuxd.core.screen.toml_lines import line_of
from agtmuxd.core.versions import numbers

FORMAT: Final = 1
"""The version of the file format that this reader understands."""

LONGEST_SETTLE: Final = 5000
"""The largest ``settle_ms`` of a rule, and ``late_ms`` and ``after_wait_ms`` of a file, in milliseconds."""

DEFAULT_OPTION: Final = r"^\s*[❯›●>]?\s*\d+\.\s+(\S.*)$"
"""What an option looks like. Rows have no bars and no trailing blanks here."""

_TOP: Final = {
    "format", "agent", "recorded_on", "composer", "mode", "keys", "background", "rule", "process", "extends", "late_ms",
    "after_wait_ms", "oldest", "version",
}  # fmt: skip
_PROCESS: Final = {"names", "headless", "other"}
_RULE: Final = {
    "name", "priority", "region", "claim", "strength", "all", "any", "none", "after", "alternate_on", "cursor_visible",
    "composer", "accepts_input", "waiting", "keys", "background", "sample", "refines", "settle_ms", "lasting", "still",
    "hides_signs",
}  # fmt: skip
_COMPOSER: Final = {
    "prompt", "above", "below", "hints", "noise", "panels", "reach", "column", "below_last", "bare", "chip", "other",
    "hint_style", "hint_like", "own", "ruled", "unless", "scrollbar",
}  # fmt: skip
_LAYOUT: Final = _COMPOSER - {"chip", "scrollbar"}
_MODE: Final = {"name", "region", "row", "text", "enter", "swallows", "converts", "pause_ms"}
_KEYS: Final = {"interrupt", "shown", "unbound", "always", "text"}
_DIALOG_KEYS: Final = {
    "approve", "deny", "option", "write", "pointer", "chosen", "move", "open", "field", "behind", "submit", "finish",
    "deny_shown",
}  # fmt: skip
_WAITING: Final = {"kind", "subject", "subject_regex", "text_regex", "option_regex", "join_options", "ignore"}
_MATCHERS: Final = ("contains", "regex", "row")
_COMPOSER_STATES: Final = {"absent", "visible", "free", "draft"}
_QUIET: Final = {Claim.COMPLETED, Claim.IDLE, Claim.ERROR, Claim.NOT_RUNNING}
_WAITING_CLAIMS: Final = {Claim.WAITING_APPROVAL: {"approval"}, Claim.WAITING_INPUT: {"question", "dialog"}}


class RuleFileError(ValueError):
    """A rules file cannot be used. The message names the file, the line if it is known, the rule and the key."""


def load(text: str, file: str, agent: str | None = None) -> RuleSet:
    """Return the rules in ``text``. ``file`` names it in messages. ``agent``: the agent that the rules must be for.

    Raises RuleFileError (a ValueError), which names file, line, rule and key.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        problem = str(e).replace("Cannot overwrite a value", "a key appears twice")
        raise RuleFileError(f"{file}: is not valid TOML: {problem}") from e
    except RecursionError as e:
        raise RuleFileError(f"{file}: is not valid TOML: nested too deeply") from e
    try:
        return _read(table, agent)
    except RuleReadError as e:
        line = line_of(text, *e.place)
        raise RuleFileError(f"{file}, line {line}: {e}" if line else f"{file}: {e}") from e


def _read(table: Mapping[str, Any], agent: str | None) -> RuleSet:
    top = Reader("", table, _TOP)
    if top.number("format", 0) != FORMAT:
        has = f"not {table['format']!r}" if "format" in table else "but it is missing"
        raise top.wrong("format", f"must be {FORMAT} for this version of agtmux, {has}")
    name = top.needed("agent")
    if agent is not None and name != agent:
        raise top.wrong("agent", f"must be {agent!r}, like the file's name, but is {name!r}: change one of them")
    counts = tuple(
        _count(f"background {i + 1}", c, ("background", i, "")) for i, c in enumerate(top.listing("background"))
    )
    rules = _rules(top.listing("rule"))
    if not rules:
        raise top.wrong("rule", "the file has no rule: begin each rule with [[rule]]")
    keys = top.inner("keys", table.get("keys", {}), _KEYS)
    composer = top.inner("composer", table.get("composer", {}), _COMPOSER)
    return RuleSet(
        agent=name,
        recorded_on=top.strings("recorded_on"),
        rules=tuple(rules),
        composer=_composer(composer) if "composer" in table else None,
        background=counts,
        programs=_programs(top),
        extends=top.flag("extends") is True,
        late=_time(top, "late_ms"),
        after_wait=_time(top, "after_wait_ms"),
        oldest=_oldest(top),
        version=top.pattern("version", re.MULTILINE, groups=1),
        chip=composer.pattern("chip"),
        modes=tuple(_mode(i, mode) for i, mode in enumerate(top.listing("mode"))),
        interrupt=_key_names(keys, "interrupt"),
        key_shown=_sign(keys, "shown", 1),
        no_key=_sign(keys, "unbound", None),
        always=_key_names(keys, "always"),
        pastes=_member(keys, "text", keys.text("text", TextMethod.KEYS) or "", [TextMethod.KEYS, TextMethod.PASTE])
        == TextMethod.PASTE,
    )


def _oldest(top: Reader) -> str | None:
    oldest = top.text("oldest")
    if oldest is not None and not numbers(oldest):
        raise top.wrong("oldest", f"{oldest!r} is not a version like 2.1.197")
    return oldest


def _time(top: Reader, key: str) -> int:
    """Return a time of the whole file in ns."""
    time = top.number(key, 0)
    if not 0 <= time <= LONGEST_SETTLE:
        raise top.wrong(key, f"must be from 0 to {LONGEST_SETTLE}")
    return time * MS


def _rules(tables: list[Any]) -> list[Rule]:
    """Return the rules, highest priority first. A rule that refines another one is made after it."""
    seen: dict[str, Rule] = {}
    refining = [isinstance(t, Mapping) and "refines" in t for t in tables]
    order = sorted(range(len(tables)), key=lambda i: refining[i])
    for i in order:
        rule = _rule(i, tables[i], seen)
        if rule.name in seen:
            raise RuleReadError(
                f"rule {rule.name}", ("rule", i, "name"), "two rules have this name: give one of them another name"
            )
        seen[rule.name] = rule
    return sorted(seen.values(), key=lambda r: -r.priority)


def _refined(read: Reader, claim: Claim, seen: Mapping[str, Rule]) -> Rule | None:
    name = read.text("refines")
    if name is None:
        return None
    base = seen.get(name)
    if base is None or base.refines is not None:
        raise read.wrong("refines", f"there is no rule {name!r} in this file that can be refined")
    if base.claim is not claim:
        raise read.wrong("refines", f"{name} claims {base.claim.value}, so this rule cannot claim {claim.value}")
    return base


def _programs(top: Reader) -> Programs | None:
    """Read ``[process]``: which processes are an agent that has no adapter."""
    if "process" not in top.table:
        return None
    read = top.inner("process", top.table["process"], _PROCESS)
    names = read.strings("names")
    if not names or any(not name or "/" in name for name in names):
        raise read.wrong("names", "needs at least one program name, without its folder")
    return Programs(frozenset(names), frozenset(read.strings("headless")), frozenset(read.strings("other")))


def _composer(read: Reader) -> ComposerSpec:
    prompt = read.pattern("prompt")
    if prompt is None or prompt.groups > 1:
        raise read.wrong("prompt", "needs a regular expression with at most one group")
    return ComposerSpec(
        prompt=prompt,
        above=read.pattern("above"),
        below=read.pattern("below"),
        hints=read.pattern("hints"),
        noise=read.pattern("noise"),
        panels=read.patterns("panels", re.MULTILINE),
        reach=read.number("reach", 1),
        column=read.number("column", 2),
        below_last=read.number("below_last", 0),
        bare=read.flag("bare") or False,
        hint_style=read.style("hint_style"),
        hint_like=read.pattern("hint_like", groups=1),
        own=read.pattern("own"),
        ruled=read.flag("ruled") or False,
        unless=read.pattern("unless"),
        other=_composer(read.inner("other", read.table["other"], _LAYOUT)) if "other" in read.table else None,
        scrollbar=read.text("scrollbar", "") or "",
    )


def _sign(read: Reader, key: str, groups: int | None) -> Sign | None:
    """Read ``{ region = "footer", row = '..' }``."""
    if key not in read.table:
        return None
    inner = read.inner(key, read.table[key], {"region", "row"})
    pattern = inner.pattern("row", re.MULTILINE, groups=groups)
    if pattern is None:
        raise inner.wrong("row", "is missing")
    return Sign(_place(inner, "region", inner.table.get("region", "footer")), pattern)


def _mode(index: int, table: Any) -> FieldMode:
    """Read ``[[mode]]``: a mode of the input field, and what it does to text and keys."""
    read = Reader(f"mode {index + 1}", table, _MODE, ("mode", index, ""))
    pattern = read.pattern("row", re.MULTILINE)
    if pattern is None:
        raise read.wrong("row", "is missing")
    return FieldMode(
        name=read.needed("name"),
        place=_place(read, "region", read.table.get("region", "footer")),
        pattern=pattern,
        text=TextMethod(_member(read, "text", read.text("text", TextMethod.KEYS) or "", list(TextMethod))),
        enter=_key_names(read, "enter"),
        swallows=_key_names(read, "swallows"),
        converts=read.flag("converts") is True,
        pause=read.number("pause_ms", 0) / 1000,
    )


def _key_names(read: Reader, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    names = read.strings(key) if key in read.table else default
    for name in names:
        if not valid_key(name.replace("{n}", "1")):
            raise read.wrong(key, f"{name!r} is not a tmux key name: use names like Enter, Escape, Up, C-c, y")
    return names


def _choices(read: Reader, extract: Extract | None) -> DialogOptions | None:
    """Read ``chosen = "odd"`` or a style: which of the options that ``option_regex`` finds the keys act on."""
    if "chosen" not in read.table or extract is None or extract.option_pattern is None:
        return None
    if "pointer" in read.table:
        raise read.wrong("chosen", "cannot be used together with pointer: leave one out")
    return DialogOptions(extract.option_pattern, None if read.table["chosen"] == ODD else read.style("chosen"))


def _dialog_keys(read: Reader, claim: Claim, extract: Extract | None) -> DialogKeys | None:
    """Read a dialog's ``keys = { approve = ["1"], deny = ["Escape"], option = ["{n}"], write = 'Type something' }``."""
    table = read.table.get("keys")
    if table is None:
        return None
    if claim not in _WAITING_CLAIMS:
        raise read.wrong("keys", f"is not allowed for the claim {claim.value}")
    inner = read.inner("keys", table, _DIALOG_KEYS)
    choices = _choices(inner, extract)
    move = _key_names(inner, "move", ("Up", "Down"))
    if len(move) != 2:
        raise inner.wrong("move", "needs two keys: one to the previous option, one to the next")
    at = {key: inner.number(key, 0) for key in ("approve", "deny") if isinstance(table.get(key), int)}
    if at and "option" not in table:
        raise inner.wrong(next(iter(at)), "is the number of an option, so the key option is needed too")
    return DialogKeys(
        approve=() if "approve" in at else _key_names(inner, "approve"),
        deny=() if "deny" in at else _key_names(inner, "deny"),
        option=_key_names(inner, "option"),
        write=inner.pattern("write"),
        pointer=inner.pattern("pointer", groups=1),
        open=_key_names(inner, "open"),
        field=inner.pattern("field"),
        behind=inner.pattern("behind"),
        submit=_key_names(inner, "submit", ("Enter",)),
        finish=_key_names(inner, "finish"),
        deny_shown=inner.pattern("deny_shown", groups=1),
        choices=choices,
        towards=(move[0], move[1]),
        approve_at=at.get("approve", 0),
        deny_at=at.get("deny", 0),
    )


def _count(where: str, table: Any, at: tuple[str, int, str]) -> Count:
    read = Reader(where, table, {"region", "regex", "running"}, at)
    pattern = read.pattern("regex", groups=1)
    if pattern is None:
        raise read.wrong("regex", "is missing")
    return Count(_place(read, "region", table.get("region", "footer")), pattern, read.flag("running") is not False)


def _place(read: Reader, key: str, value: Any) -> Place:
    """Read ``screen``, ``title``, ``footer``, ``tail:N``, ``above:N``, ``below:N``, or a table ``{from, max}``."""
    if isinstance(value, Mapping):
        inner = read.inner(key, value, {"from", "max", "back"}, f"{read.where}, key {key}")
        start = inner.pattern("from")
        if start is None:
            raise inner.wrong("from", "is missing")
        return Place("block", inner.number("max", 60), start, inner.number("back", 0))
    if isinstance(value, str):
        kind, _, count = value.partition(":")
        if kind in {"screen", "title", "footer", "own", "composer"} and not count:
            return Place(kind)
        if kind in {"tail", "above", "below"} and count.isdigit() and int(count) > 0:
            return Place(kind, int(count))
    known = "screen, title, footer, own, composer, tail:N, above:N, below:N, {from = ..}"
    raise read.wrong(key, f"{value!r} is not a region: use one of {known}")


def _tests(read: Reader, key: str, own: Place) -> tuple[Test, ...]:
    tests: list[Test] = []
    for item in read.listing(key):
        inner = read.inner(key, item, {*_MATCHERS, "region", "style"}, f"{read.where}, key {key}")
        kinds = [k for k in _MATCHERS if k in item]
        if len(kinds) != 1:
            raise read.wrong(key, f"each entry needs exactly one of {', '.join(_MATCHERS)}, but this one is {item!r}")
        kind = kinds[0]
        place = _place(inner, "region", item["region"]) if "region" in item else None
        if "style" in item and kind != "row":
            raise inner.wrong("style", "can only be used with row")
        if kind == "contains":
            needle = squash(inner.needed(kind))
            if not needle:
                raise read.wrong(key, "contains only blanks")
            tests.append(Test(kind, needle, None, place, words=inner.needed(kind)))
        else:
            pattern = inner.pattern(kind, re.MULTILINE if kind == "row" else 0)
            style = inner.style("style")
            tests.append(Test(kind, "", pattern, place if style is None else place or own, style))
    return tuple(tests)


def _extract(read: Reader, claim: Claim) -> Extract | None:
    table = read.table.get("waiting")
    allowed = _WAITING_CLAIMS.get(claim)
    if allowed is None:
        if table is not None:
            raise read.wrong("waiting", f"is not allowed for the claim {claim.value}")
        return None
    if table is None:
        kinds = " or ".join(f'{{ kind = "{kind}" }}' for kind in sorted(allowed))
        raise read.wrong("waiting", f"is missing: the claim {claim.value} needs waiting = {kinds}")
    inner = read.inner("waiting", table, _WAITING)
    kind = inner.needed("kind")
    if kind not in allowed:
        raise inner.wrong("kind", f"must be one of {', '.join(sorted(allowed))} for the claim {claim.value}")
    option = inner.pattern("option_regex", groups=1) or re.compile(DEFAULT_OPTION)
    joined = inner.flag("join_options")
    return Extract(
        kind=kind,
        subject=inner.text("subject"),
        subject_pattern=inner.pattern("subject_regex", re.MULTILINE, groups=1),
        text_pattern=inner.pattern("text_regex", re.MULTILINE | re.DOTALL, groups=1),
        option_pattern=option,
        join_options=joined is not False,
        ignore=inner.pattern("ignore"),
    )


def _after(read: Reader) -> frozenset[str] | None:
    if "after" not in read.table:
        return None
    words = read.strings("after")
    known = {c.value for c in Claim} | {FIRST}
    for word in words:
        if word not in known:
            raise read.wrong("after", f"there is no claim {word!r}, {suggestion(word, known)}")
    return frozenset(words)


def _member(read: Reader, key: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise read.wrong(key, f"there is no {value!r}, {suggestion(value, known)}")
    return value


def _sample(read: Reader) -> SampleRef | None:
    table = read.table.get("sample")
    if table is None:
        return None
    if isinstance(table, Mapping) and "screen" in table:
        inner = read.inner("sample", table, {"screen", "title"})
        return SampleRef(screen=inner.needed("screen"), title=inner.text("title") or "")
    inner = read.inner("sample", table, {"recording", "t_ms"})
    return SampleRef(inner.needed("recording"), inner.number("t_ms", 0))


def _rule(index: int, table: Any, seen: Mapping[str, Rule]) -> Rule:
    name = table.get("name") if isinstance(table, Mapping) else None
    read = Reader(f"rule {name if isinstance(name, str) else index + 1}", table, _RULE, ("rule", index, ""))
    read.needed("name")
    claim = Claim(_member(read, "claim", read.needed("claim"), [c.value for c in Claim]))
    sample = _sample(read)
    base = _refined(read, claim, seen)
    proof = base.strength.value if base is not None else Strength.DEFINITIVE.value
    strength = Strength(_member(read, "strength", read.text("strength", proof) or "", [s.value for s in Strength]))
    proven = sample is not None or (base is not None and base.strength is Strength.DEFINITIVE)
    if strength is Strength.DEFINITIVE and not proven:
        raise read.wrong(
            "sample",
            'is missing: add sample = { screen = "FILE" }, a capture beside this file, or strength = "hint"',
        )
    composer = read.text("composer")
    if composer is not None:
        _member(read, "composer", composer, sorted(_COMPOSER_STATES))
    place = _place(read, "region", read.table.get("region", "tail:40"))
    tests = _tests(read, "all", place)
    if not tests and not read.listing("any") and composer is None:
        raise read.wrong("all", "the rule has no condition: add all, any or composer")
    background = read.table.get("background")
    some, no = _tests(read, "any", place), _tests(read, "none", place)
    extract = _extract(read, claim)
    return Rule(
        name=read.needed("name"),
        priority=read.number("priority", 0),
        place=place,
        claim=claim,
        strength=strength,
        all=tests,
        any=some,
        none=no,
        after=_after(read),
        alternate_on=read.flag("alternate_on"),
        cursor_visible=read.flag("cursor_visible"),
        composer=composer,
        accepts_input=read.flag("accepts_input"),
        extract=extract,
        keys=_dialog_keys(read, claim, extract),
        background=None
        if background is None
        else _count(f"{read.where}, background", background, ("rule", index, "background")),
        sample=sample,
        refines=base,
        settle=_settle(read),
        lasting=_only(read, "lasting", claim is Claim.RUNNING, "the claim running"),
        hides=read.flag("hides_signs") is True,
        still=_only(read, "still", claim in _QUIET, "the claims completed, idle and not_running"),
        quick=tuple(t.needle for t in tests if t.kind == "contains" and not _on_title(t, place)),
        styled=any(t.style is not None for t in (*tests, *some, *no)),
    )


def _only(read: Reader, key: str, fits: bool, suggestion: str) -> bool:
    if read.flag(key) and not fits:
        raise read.wrong(key, f"can only be used with {suggestion}")
    return read.flag(key) is True


def _settle(read: Reader) -> int:
    settle = read.number("settle_ms", 0)
    if not 0 <= settle <= LONGEST_SETTLE:
        raise read.wrong("settle_ms", f"must be from 0 to {LONGEST_SETTLE}")
    return settle * MS


def _on_title(test: Test, own: Place) -> bool:
    return (test.place or own).kind == "title"
