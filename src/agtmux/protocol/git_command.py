"""Say how git is run here: by a list of words, never by a shell, and without code that a repository names.

A repository's own configuration can name programs: hooks, a file monitor, filters, pagers, transports. agtmux reads
repositories that agents write to, so it turns all of them off. Owns the environment for that. Runs nothing. A change
of configuration goes through ``GIT_CONFIG_COUNT``, because ``-c`` cannot name a filter whose name has an ``=``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OLDEST = (2, 31)
"""The oldest git that is used: older ones do not read ``GIT_CONFIG_COUNT``."""
_STAY = ("GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
"""Variables for git that are kept. All others could point it at another repository."""
_CONFIG = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.untrackedCache": "false",
    "core.ignoreStat": "false",
    "core.checkStat": "default",
    "core.trustctime": "true",
    "core.sshCommand": "false",
    "core.pager": "cat",
    "log.showSignature": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "apply.whitespace": "nowarn",
    "protocol.allow": "never",
}
_SET = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": ":",
    "GIT_SEQUENCE_EDITOR": ":",
    "GIT_ASKPASS": "true",
    "LC_ALL": "C",
}
FILTERS = ("config", "--null", "--show-scope", "--name-only", "--get-regexp", r"^filter\.")
"""Lists the filters of a configuration for ``filter_names``. Exit status 1: there are none."""


def environment(environ: Mapping[str, str], filters: Iterable[str] = ()) -> dict[str, str]:
    """Return the environment for git. ``filters``: names of filters that must not run."""
    out = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name in _STAY}
    config = list(_CONFIG.items())
    for name in filters:
        config += [(f"filter.{name}.{what}", "") for what in ("clean", "smudge", "process")]
        config.append((f"filter.{name}.required", "false"))
    for number, (key, value) in enumerate(config):
        out[f"GIT_CONFIG_KEY_{number}"] = key
        out[f"GIT_CONFIG_VALUE_{number}"] = value
    return {**out, **_SET, "GIT_CONFIG_COUNT": str(len(config))}


def filter_names(listed: bytes, *, everywhere: bool = False) -> list[str]:
    """Return the names of the filters that the repository itself configures, from the output of ``FILTERS``.

    ``everywhere``: also those of the user and of the system.
    """
    words = listed.split(b"\0")
    found: dict[str, None] = {}
    for scope, key in zip(words[::2], words[1::2], strict=False):
        if everywhere or scope not in (b"global", b"system"):
            name = key.partition(b".")[2].rpartition(b".")[0]
            found[name.decode("utf-8", "surrogateescape")] = None
    return list(found)


def version_of(text: str) -> tuple[int, int]:
    """Return the version that ``git --version`` prints. (0, 0) if it cannot be read."""
    words = text.split()
    numbers = words[2].split(".") if len(words) > 2 else []
    if len(numbers) < 2 or not (numbers[0].isdecimal() and numbers[1].isdecimal()):
        return 0, 0
    return int(numbers[0]), int(numbers[1])
