"""Set up key bindings and options in a tmux server, and take back exactly what was set.

Owns the user options of the plugin and the bindings. A key that is bound already is left alone. What was set is noted
in the server itself, in ``@agtmux_loaded``: ``on`` if ``@agtmux`` was set, and each key with a digest of its binding.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys

from agtmux.cli.tmux_server import TmuxServer
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmux.protocol.tmux_quote import format_literal, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OPTIONS = {
    "@agtmux-key": "A",
    "@agtmux-next-key": "N",
    "@agtmux-back-key": "none",
    "@agtmux-menu-key": "none",
    "@agtmux-popup-width": "90%",
    "@agtmux-popup-height": "85%",
}
"""The options that a user may set before ``agtmux tmux load``, with their defaults."""
LOADED = "@agtmux_loaded"
WRITTEN = ("@agtmux_segment", "@agtmux_status", "@agtmux_at", "@agtmux_by")
"""What the daemon writes after ``@agtmux on``."""
STATUS_LINES = (
    "set-option -g status-right-length 60",
    "set-option -ag status-right ' #{T:@agtmux_segment}'",
)
"""What a user adds for the status line. ``load`` never changes ``status-right``: it is the user's own."""
MINIMUM = (3, 3)
_BINDING = re.compile(r"bind-key\s+(?:-r\s+)?-T\s+(\S+)\s+(\S+)\s+(.*)")
_SIZE = re.compile(r"[0-9]{1,4}%?")


def own_argv() -> list[str]:
    """Return the words that start this program again, with its full path."""
    program = os.path.abspath(sys.argv[0])
    return [sys.executable, "-m", "agtmux"] if program.endswith(".py") else [program]


def popup_options(server: TmuxServer) -> list[str]:
    """Return the options of ``display-popup`` for the size that the user chose."""
    return _popup_options(read_options(server))


def menu_command(argv: Sequence[str]) -> str:
    """Return a tmux command that runs ``argv`` in the background, as a menu takes it: menus expand formats twice."""
    return format_literal(f"run-shell -b {quote(format_literal(shlex.join(argv)))}")


def bindings(options: Mapping[str, str], program: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the option of each key, the key, and the words of its ``bind-key``.

    Raises E_INVALID_REQUEST for a size that tmux does not take.
    """
    popup = ["display-popup", *_popup_options(options), "-d", "#{pane_current_path}", "--", *program, "top", "--popup"]
    for name, note, command in (
        ("@agtmux-key", "dashboard of agents", popup),
        ("@agtmux-next-key", "next agent that needs you", _in_background(program, "jump", "--next")),
        ("@agtmux-back-key", "back from that agent", _in_background(program, "jump", "--back")),
        ("@agtmux-menu-key", "menu of agents that need you", _in_background(program, "menu")),
    ):
        key = options[name]
        if key.lower() != "none":
            yield name, key, ["bind-key", "-T", "prefix", "-N", f"agtmux: {note}", "--", key, *command]


def _popup_options(options: Mapping[str, str]) -> list[str]:
    out = ["-E"]
    for flag, name in (("-w", "@agtmux-popup-width"), ("-h", "@agtmux-popup-height")):
        size = options[name]
        if not _SIZE.fullmatch(size):
            raise AgtmuxError("E_INVALID_REQUEST", f"{name} is {one_line(size)[:40]!r}: write it like 90% or 120")
        out += [flag, size]
    return out


def _in_background(program: Sequence[str], *words: str) -> list[str]:
    """Return a tmux command that runs this program for the client that pressed the key."""
    text = format_literal(shlex.join([*program, *words]))
    return ["run-shell", "-b", f"{text} --client #{{q:client_name}}"]


def read_options(server: TmuxServer) -> dict[str, str]:
    """Return the plugin's options of a server; the default for those that are not set."""
    found = server.options(list(OPTIONS))
    return {name: found[name].strip() or default for name, default in OPTIONS.items()}


def load(server: TmuxServer) -> list[str]:
    """Bind the keys and set ``@agtmux on``. Return what could not be done, one line each. May be called again.

    Raises E_TMUX_UNSUPPORTED for a tmux that is too old.
    """
    (version,) = server.values(["#{version}"])
    numbers = re.search(r"([0-9]{1,4})\.([0-9]{1,4})", version)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) < MINIMUM:
        raise AgtmuxError("E_TMUX_UNSUPPORTED", f"tmux {one_line(version)[:20]} is older than 3.3: install a newer one")
    wanted = list(bindings(read_options(server), own_argv()))  # may raise: then nothing is changed
    _, notes = _unbind(server)
    problems = []
    for name, key, words in wanted:
        spelling = _spelling(server, key)
        if spelling is None:
            problems.append(f"tmux knows no key {one_line(key)[:20]}: correct {name}")
            continue
        bound = _bound_keys(server).get(spelling)
        if bound is not None:
            problems.append(
                f"{one_line(key)[:20]} is already bound ({one_line(bound)[:60]}): set {name} to another key"
            )
            continue
        server.run(*words)
        notes.append(f"{_digest(_bound_keys(server)[spelling])}:{key}")
    if not server.options(["@agtmux"])["@agtmux"]:
        server.run("set-option", "-g", "@agtmux", "on")
        notes.insert(0, "on")
    server.run("set-option", "-g", LOADED, " ".join(notes))
    return problems


def unload(server: TmuxServer) -> list[str]:
    """Take back what ``load`` set. Return the keys that are bound to something else by now: they stay."""
    changed, notes = _unbind(server)
    if "on" in notes:
        for name in ("@agtmux", *WRITTEN):
            server.run("set-option", "-gqu", name)
    server.run("set-option", "-gqu", LOADED)
    return changed


def _unbind(server: TmuxServer) -> tuple[list[str], list[str]]:
    """Unbind the keys that ``load`` bound. Return those that are bound to something else by now, and other notes."""
    changed, others = [], []
    bound = _bound_keys(server)
    for note in server.options([LOADED])[LOADED].split():
        mark, colon, key = note.partition(":")
        if not colon:
            others.append(note)
            continue
        now = bound.get(_spelling(server, key) or "")
        if now is not None and _digest(now) == mark:
            server.run("unbind-key", "-T", "prefix", "--", key)
        elif now is not None:
            changed.append(key)
    return changed, others


def _bound_keys(server: TmuxServer, table: str = "prefix") -> dict[str, str]:
    """Return the commands of a key table by key, as this tmux spells it. Raises E_UNSUPPORTED if it cannot be read.

    All tables are read: tmux 3.7 lists nothing if there is only one key to list.
    """
    out = {}
    for row in server.run("list-keys").split("\n"):
        found = _BINDING.fullmatch(row)
        if found is None:
            raise AgtmuxError("E_UNSUPPORTED", "this tmux lists its keys in an unknown way: no key was bound")
        if found[1] == table:
            out[found[2]] = found[3]
    return out


def _spelling(server: TmuxServer, key: str) -> str | None:
    """Return how tmux spells a key, such as ``C-x`` for ``^x``. None if it knows no such key.

    tmux says it only of a bound key, so the key is bound for a moment in a table that no client uses.
    """
    table = f"agtmux-{os.getpid()}"
    if server.try_run("bind-key", "-T", table, "--", key, "display-message", "agtmux").returncode:
        return None
    (spelling,) = _bound_keys(server, table)
    server.run("unbind-key", "-T", table, "--", key)
    return spelling


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
