"""Read the effective settings of one host from ``ssh -G``, anew for each connection.

Owns the command, the parsing of its output, and the tokens (``%h``, ``${VAR}``, ``~``) that ``ssh -G`` does not fill
in. Opens no connection. ``ssh -G`` runs the ``Match exec`` commands of the user's config, as ssh does.
"""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import os
import pwd
import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agtmuxd.targets.local.child_process import Child

DEFAULT_CONFIG: Final = "~/.ssh/config"
_ANSWER_MOST: Final = 256 * 1024
_MESSAGE_MOST: Final = 300
_WRONG_LINE: Final = re.compile(r"^(?P<file>.+?):? line (?P<line>\d+): (?P<what>.*)$")
_TOKEN: Final = re.compile(r"%(.?)")
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_OLD: Final = re.compile(r"(unknown|illegal|invalid) option -- '?G")


class ConfigError(ValueError):
    """The settings of a host cannot be read, or need something that agtmux does not do. The message says what."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination as ssh(1) takes it (``alias``, ``user@host``, ``ssh://…``), with an overriding user and port."""

    alias: str
    user: str | None = None
    port: int | None = None

    def words(self) -> list[str]:
        """Return the arguments for ssh(1). Raises ConfigError for a name that ssh would read as an option."""
        for name, text in (("host", self.alias), ("user", self.user or "")):
            if text.startswith("-") or not text.isprintable():
                raise ConfigError(f"{text!r} is not a {name}: it begins with '-' or holds a control character")
        if not self.alias.strip():
            raise ConfigError("the name of the host is empty")
        more = ["-l", self.user] if self.user is not None else []
        more += ["-p", str(self.port)] if self.port is not None else []
        return [*more, "--", self.alias]


@dataclass(frozen=True, slots=True)
class EffectiveSettings:
    """The effective settings by option in lower case. ``environ``: the daemon's environment, for variables."""

    original: str
    values: Mapping[str, Sequence[str]]
    environ: Mapping[str, str] = field(default_factory=dict)

    def first(self, option: str, otherwise: str = "") -> str:
        found = self.values.get(option)
        return found[0] if found else otherwise

    def every(self, option: str) -> list[str]:
        """Return all values of an option, except ``none``."""
        return [value for value in self.values.get(option, ()) if value.lower() != "none"]

    def yes(self, option: str) -> bool:
        return self.first(option) in {"yes", "true"}

    def names(self, option: str) -> list[str]:
        """Return the items of an option that ssh prints as a list with commas."""
        return [name for name in self.first(option).split(",") if name]

    @property
    def host(self) -> str:
        return self.first("hostname", self.original)

    @property
    def port(self) -> int:
        return int(self.first("port", "22"))

    @property
    def user(self) -> str:
        return self.first("user") or getpass.getuser()

    def tokens(self) -> dict[str, str]:
        """Return the values of the tokens. See TOKENS in ssh_config(5)."""
        here = socket.gethostname()
        port = str(self.port)
        whole = "".join((here, self.host, port, self.user))
        return {
            "%": "%", "C": hashlib.sha1(whole.encode()).hexdigest(), "d": home(), "h": self.host,  # noqa: S324 ssh's own
            "i": str(os.getuid()), "j": self.first("proxyjump"), "k": self.first("hostkeyalias") or self.original,
            "L": here.partition(".")[0], "l": here, "n": self.original, "p": port, "r": self.user,
            "u": getpass.getuser(),
        }  # fmt: skip

    def expand(self, text: str, option: str, more: Mapping[str, str] | None = None) -> str:
        """Fill in the tokens of a value, but no variables. Raises ConfigError, which names the option."""
        tokens = {**self.tokens(), **(more or {})}

        def fill(found: re.Match[str]) -> str:
            if found[1] not in tokens:
                raise ConfigError(f"{option} {text}: ssh has no token {found[0]} there")
            return tokens[found[1]]

        return _TOKEN.sub(fill, text)

    def path(self, text: str, option: str, more: Mapping[str, str] | None = None) -> str:
        """Fill in ``~``, tokens (also those of ``more``) and ``${VAR}`` in a value. Raises ConfigError."""

        def fill(found: re.Match[str]) -> str:
            if found[1] not in self.environ:
                raise ConfigError(f"{option} {text}: the daemon's environment has no {found[1]}")
            return self.environ[found[1]]

        # fill in each piece once: the value of a token or a variable is not expanded again
        whole = _tilde(text)
        plain = [self.expand(piece, option, more) for piece in _VARIABLE.split(whole)[::2]]
        named = [fill(found) for found in _VARIABLE.finditer(whole)]
        return "".join(piece for pair in zip(plain, [*named, ""], strict=True) for piece in pair)

    def paths(self, option: str, shown: str) -> list[str]:
        return [self.path(value, shown) for value in self.every(option)]


def home() -> str:
    """Return the home folder as ssh does: from the user database, not from HOME."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return str(Path.home())


def _tilde(text: str) -> str:
    if text == "~" or text.startswith("~/"):
        return home() + text[1:]
    return str(Path(text).expanduser()) if text.startswith("~") else text


def config_words(config_file: str) -> tuple[str, ...]:
    """Return the arguments with which ssh(1) reads this config file; none for the file that it reads by default."""
    file = str(Path(config_file).expanduser())
    if config_file != DEFAULT_CONFIG and file != str(Path(DEFAULT_CONFIG).expanduser()):
        return ("-F", file)
    return ("-F", file) if file != f"{home()}/.ssh/config" and Path(file).exists() else ()


def program(environ: Mapping[str, str]) -> str | None:
    """Return the path of ``ssh`` on the daemon's PATH, None if there is none."""
    return shutil.which("ssh", path=environ.get("PATH", os.defpath))


async def ask(
    ssh: str, words: Sequence[str], place: Destination, environ: Mapping[str, str]
) -> EffectiveSettings | None:
    """Run ``ssh -G`` for ``place`` and return the effective settings; None if this ssh is too old (before 6.8).

    If the caller is cancelled, ssh and the programs that it started are killed. Raises ConfigError.
    """
    argv = [ssh, "-G", *words, *place.words()]
    try:
        child = Child(asyncio.get_running_loop(), argv, environ, b"", _ANSWER_MOST)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{ssh} cannot be started: {error}") from error
    try:
        done = await child.done
    finally:
        child.kill()
    text = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode != 0:
        if _OLD.search(text):
            return None
        raise ConfigError(f"ssh -G {place.alias}: {_explained(text, done.returncode)}")
    if done.truncated:
        raise ConfigError(f"ssh -G {place.alias}: it printed more than {_ANSWER_MOST // 1024} KiB")
    return parse(os.fsdecode(done.stdout), place, environ)


def parse(text: str, place: Destination, environ: Mapping[str, str]) -> EffectiveSettings:
    """Parse the output of ``ssh -G``. Raises ConfigError if it names no host and port."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        option, _, value = line.partition(" ")
        values.setdefault(option.lower(), []).append(value)
    port = values.get("port", [""])[0]
    if "hostname" not in values or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"ssh -G {place.alias}: it printed no host and port")
    original = values["host"][0] if "host" in values else _bare(place.alias)
    return EffectiveSettings(original, values, environ)


def _bare(alias: str) -> str:
    """Return the host of a destination, for an ssh that does not print it (before 8.5)."""
    rest = alias.removeprefix("ssh://").rpartition("@")[2]
    return rest.rstrip("/").partition(":")[0] if alias.startswith("ssh://") and not rest.startswith("[") else rest


def _explained(text: str, status: int) -> str:
    """Return ssh's own message, with the text of the config line that it names."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        found = _WRONG_LINE.match(line)
        if found is not None:
            written = _line(found["file"], int(found["line"]))
            return f"{found['file']} line {found['line']}: {found['what']}{written}"[:_MESSAGE_MOST]
    return "; ".join(lines)[:_MESSAGE_MOST] or f"it printed nothing (exit status {status})"


def _line(file: str, number: int) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as config:
            for at, line in enumerate(config, 1):
                if at == number:
                    return f" ({line.strip()[:120]})"
    except OSError:
        return ""  # ssh's message is enough
    return ""
