"""Remove secrets from what agents report, before it is stored, logged or spooled.

Owns the patterns and the sensitive key names. Knows neither events nor databases. Uses only ``re`` of the standard
library. Each pattern has a literal hint, so text without secrets costs only a few substring searches.
"""

from __future__ import annotations

import re
from functools import lru_cache  # re has imported it already

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    T = TypeVar("T")

MARK = "[redacted]"
EVERYTHING = r"(?s).+"
EVENT_FOR = 0.05
"""Seconds of CPU that the configuration's patterns may take in a hook, which has little time."""

_KEY_BLOCK = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)"
_TOKENS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (hints, re.compile(pattern, flags))
    for hints, pattern, flags in (
        (
            ("private key",),
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)",
            re.S,
        ),
        (("sk-", "sk_", "rk_", "pk_"), r"\b(?:sk-[A-Za-z0-9_-]{16,}|[srp]k_(?:live|test)_[A-Za-z0-9]{10,})", 0),
        (("gh",), r"\bgh[opsur]_[A-Za-z0-9]{16,}", 0),
        (("github_pat_", "glpat-"), r"\b(?:github_pat_|glpat-)[A-Za-z0-9_-]{16,}", 0),
        (("xox", "xapp-"), r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{8,}", 0),
        (("akia", "asia"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", 0),
        (("aiza",), r"\bAIza[A-Za-z0-9_-]{30,}", 0),
        (("ya29.",), r"\bya29\.[A-Za-z0-9_-]{16,}", 0),
        (("npm_", "pypi-", "hf_", "dop_v1_"), r"\b(?:npm_|pypi-|hf_|dop_v1_)[A-Za-z0-9_-]{20,}", 0),
        (("eyj",), r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*", 0),
        (("hooks.slack.com",), r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/_-]+", 0),
    )
)
_AUTH = re.compile(
    r"\b((?:proxy-)?authorization['\"]?\s{0,8}[:=]\s{0,8}['\"]?)"
    r"(?:(basic|bearer|token|digest|negotiate)\s{1,8})?[^\s'\",;]+",
    re.I,
)
_BEARER = re.compile(r"\b(bearer|basic)(\s+)(?=[^\s'\"]*[0-9=]|[^\s'\"]{24})[A-Za-z0-9._~+/=-]{12,}", re.I)
_COOKIE = re.compile(r"\b((?:set-)?cookie\s{0,8}:\s{0,8})[^\r\n'\"]+", re.I)
_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,15}://)[^\s/?#@'\"<>]+@", re.I)
_PAIR = re.compile(  # its first character is a plain set: re then skips most positions of a text at once
    r"""(?P<head>(?P<name>(?-i:[AaCcPpSsTt])(?:
          (?<=p)(?:ass(?:word|wd|phrase)?|wd|rivate[_-]?key)
          |(?<=s)(?:ecret(?:[_-]?(?:access[_-]?)?key|[_-]?token)?|igning[_-]?key|ession[_-]?token)
          |(?<=a)(?:pi[_-]?(?:key|token)|ccess[_-]?(?:key|token)|uth[_-]?token)
          |(?<=c)(?:lient[_-]?secret|redentials?|ookie)
          |(?<=t)oken))
        (?:\\?["'])?\s{0,8}(?:=>|:=|[:=])\s{0,8})
        (?P<open>\\?["'])?(?P<value>(?(open)[^"'\\]+|[^\s"'\\,;&|)}\]]+))""",
    re.I | re.X,
)
_OPTION = re.compile(
    r"(?P<head>--(?:password|passphrase|token|api-key|secret|client-secret)\s{1,8}(?P<name>))"
    r"(?P<open>\\?[\"'])?(?P<value>(?(open)[^\"'\\]+|[^\s\"'\\,;&|)}\]-][^\s\"'\\,;&|)}\]]*))",
    re.I,
)
_SHORT = 128
"""Characters up to which a text without a secret is remembered."""
_PAIR_HINTS = ("pass", "pwd", "secret", "key", "token", "credential", "cookie")
_PLAIN = frozenset(("true", "false", "null", "none", "undefined", MARK))
_KEYS = re.compile(
    r"(?:^|_)(?:pass(?:word|wd|phrase)?|pwd|secrets?|api_?keys?|access_?keys?|private_?keys?|secret_?keys?|signing_?keys?"
    r"|encryption_?keys?|authorization|auth_?header|bearer|cookies?|set_?cookie|credentials?|tokens?|jwt)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def redact(value: T, extra: Iterable[re.Pattern[str]] = ()) -> T:
    """Return a copy of a JSON-like value without secrets: strings cleaned, values under sensitive key names replaced.

    ``extra``: further patterns (from the config), whose whole match is replaced. Keys, booleans and null stay. Numbers
    stay too, except under names such as ``password`` (the counts under ``input_tokens`` are numbers).
    """
    patterns = tuple(extra)
    return _walk(value, patterns)  # type: ignore[return-value]


def redact_event(event: dict[str, object], patterns: Iterable[str] = ()) -> dict[str, object]:
    """Return an event as hooks build it, without secrets.

    ``patterns``: of the configuration. They are applied to the agent's own text. If a pattern is invalid or takes too
    long, that text is left out altogether.
    """
    safe = redact(event)
    extra = tuple(patterns)
    if not extra:
        return safe
    import signal

    def over(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, over)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, EVENT_FOR)
        try:
            found = _texts_of(safe, tuple([re.compile(pattern) for pattern in extra]))
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except (TimeoutError, re.error, RecursionError, OverflowError):
        found = _texts_of(safe, (re.compile(EVERYTHING),))
    finally:
        signal.signal(signal.SIGVTALRM, before)
    return {**safe, **found}


def _texts_of(event: dict[str, object], extra: tuple[re.Pattern[str], ...]) -> dict[str, object]:
    """Return the parts of an event that hold an agent's own text. Other parts tell the event apart from others."""
    found: dict[str, object] = {name: redact(event[name], extra) for name in ("payload", "env") if name in event}
    chain = event.get("chain")
    if isinstance(chain, list):
        found["chain"] = [{**link, "argv": redact(link["argv"], extra)} if "argv" in link else link for link in chain]
    return found


def redact_text(text: str, extra: Iterable[re.Pattern[str]] = ()) -> str:
    """Return ``text`` without secrets."""
    if len(text) > _SHORT:
        text = _cleaned(text)
    else:
        try:
            _known_clean(text)
        except _SecretError:
            text = _cleaned(text)
    for pattern in extra:
        text = pattern.sub(MARK, text)
    return text


class _SecretError(Exception):
    """The text holds a secret. It is raised because a call that raises is not cached."""


@lru_cache(maxsize=2048)  # names of sessions, folders and tools come with every event; no secret is kept
def _known_clean(text: str) -> None:
    if _cleaned(text) != text:
        raise _SecretError


def _cleaned(text: str) -> str:
    """Return ``text`` without what the built-in patterns match."""
    low = text.lower()
    for hints, pattern in _TOKENS:
        for hint in hints:  # no any(): a generator costs ten times the search, and this runs for every string
            if hint in low:
                text = pattern.sub(MARK, text)
                break
    if "authorization" in low:
        text = _AUTH.sub(_auth, text)
    if "bearer" in low or "basic" in low:
        text = _BEARER.sub(rf"\1\2{MARK}", text)
    if "cookie" in low:
        text = _COOKIE.sub(rf"\1{MARK}", text)
    if "://" in low and "@" in low:
        text = _URL.sub(_url, text)
    for hint in _PAIR_HINTS:
        if hint in low:
            text = _PAIR.sub(_pair, text)
            if "--" in low:
                text = _OPTION.sub(_pair, text)
            break
    return text


def sensitive(key: str) -> bool:
    """Return whether the value under this key is a secret, by the key's name. ``session_id``, ``max_tokens`` and such
    are not.
    """
    return _known_key(key) if len(key) <= 64 else _named(key)


def _named(key: str) -> bool:
    name = _CAMEL.sub("_", key).replace("-", "_").replace(" ", "_").lower()
    return _KEYS.search(name) is not None


_known_key = lru_cache(maxsize=1024)(_named)  # the same few names come in every event


def _walk(value: object, extra: tuple[re.Pattern[str], ...]) -> object:
    if isinstance(value, str):
        return redact_text(value, extra)
    if isinstance(value, dict):
        return {
            k: _hide(v, "token" in k.lower()) if isinstance(k, str) and sensitive(k) else _walk(v, extra)
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_walk(v, extra) for v in value]
    return value


def _hide(value: object, counts: bool) -> object:
    """Return a secret's shape without its content. ``counts``: numbers stay, as they do under ``input_tokens``."""
    if value is None or isinstance(value, bool) or value == "":
        return value
    if isinstance(value, dict):
        return {k: _hide(v, counts) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hide(v, counts) for v in value]
    return value if counts and isinstance(value, (int, float)) else MARK


def _pair(match: re.Match[str]) -> str:
    value = match["value"]
    before = match.string[match.start() - 1 : match.start()]
    if before.isalnum() and not (before.islower() and match["name"][:1].isupper()):
        return match[0]  # the end of another word, as in "compass"
    if match["name"].lower() == "pwd" and value.startswith(("/", "~", ".")):
        return match[0]  # the shell's PWD
    if value.lower() in _PLAIN or value.startswith(("$", "%", "<", MARK)) or not value.strip("*.…x"):
        return match[0]  # a variable, a placeholder or nothing secret
    if value == MARK[:-1]:
        return match[0]  # the mark of a removed secret: without quotes a value ends before its bracket
    return f"{match['head']}{match['open'] or ''}{MARK}"


def _auth(match: re.Match[str]) -> str:
    scheme = f"{match[2]} " if match[2] else ""
    return f"{match[1]}{scheme}{MARK}"


def _url(match: re.Match[str]) -> str:
    return f"{match[1]}{MARK}@"
