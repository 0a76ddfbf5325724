"""Decide which host keys are trusted for a name, by known_hosts lines and OpenSSH's rules. Pure.

Owns the parsing of known_hosts lines: markers, patterns, hashed names, names with a port. Skips a line that cannot be
parsed, as ssh does. Knows no connection.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncssh

DEFAULT_PORT: Final = 22
LINE_MOST: Final = 64 * 1024
"""Most characters of one line; a longer one is skipped."""


@dataclass(slots=True)
class Trust:
    """The keys of one name: its ``keys``, the ``authorities`` that may sign for it, and the ``revoked`` keys."""

    keys: list[asyncssh.SSHKey] = field(default_factory=list)
    authorities: list[asyncssh.SSHKey] = field(default_factory=list)
    revoked: list[asyncssh.SSHKey] = field(default_factory=list)

    def add(self, other: Trust) -> None:
        self.keys += other.keys
        self.authorities += other.authorities
        self.revoked += other.revoked

    def without(self, refused: Iterable[asyncssh.SSHKey]) -> Trust:
        """Return a copy that does not trust the ``refused`` and the revoked keys."""
        out = set(refused) | set(self.revoked)
        return Trust(
            [key for key in self.keys if key not in out], [key for key in self.authorities if key not in out], list(out)
        )


def searched(host: str, port: int, alias: str | None) -> tuple[str, ...]:
    """Return the names under which ssh looks for a host: only its alias, or its name with the port, then without."""
    if alias:
        return (alias.lower(),)
    name = host.lower()
    return (name,) if port == DEFAULT_PORT else (f"[{name}]:{port}", name)


def read(text: str, names: Sequence[str]) -> Trust:
    """Return the keys of the first of ``names`` that has any in these lines, and the revoked keys of all ``names``."""
    found = [_keys_for(text, name) for name in names]
    out = next((trust for trust in found if trust.keys or trust.authorities), Trust())
    revoked = [key for trust in found for key in trust.revoked]
    return Trust(list(out.keys), list(out.authorities), revoked)


def _keys_for(text: str, name: str) -> Trust:
    out = Trust()
    lists = {"": out.keys, "@cert-authority": out.authorities, "@revoked": out.revoked}
    for line in text.split("\n"):
        line = line.strip()
        if not line or line.startswith("#") or len(line) > LINE_MOST:
            continue
        words = line.split(None, 3)
        marker = words.pop(0).lower() if words[0].startswith("@") else ""
        if marker not in lists or len(words) < 3 or not matches(words[0], name):
            continue
        key = public_key(f"{words[1]} {words[2].split(None, 1)[0]}")
        if key is not None:
            lists[marker].append(key)
    return out


def agreeing(trust: Trust, text: str, address: str, port: int) -> Trust:
    """Return ``trust`` without keys that differ from the address's key of the same kind (CheckHostIP yes)."""
    there = read(text, searched(address, port, None)).keys
    kinds = {key.get_algorithm() for key in there}
    keys = [key for key in trust.keys if key in there or key.get_algorithm() not in kinds]
    return Trust(keys, list(trust.authorities), list(trust.revoked))


def public_key(text: str) -> asyncssh.SSHKey | None:
    """Parse a key of the form ``TYPE BASE64``. None if it is no key."""
    try:
        return asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, ValueError):
        return None


def matches(patterns: str, name: str) -> bool:
    """Return whether a line's first word, a hashed name or patterns, names this host. A ``!`` pattern excludes it."""
    if patterns.startswith("|"):
        return _matches_hash(patterns, name)
    hit = False
    for pattern in patterns.lower().split(","):
        if _matches_pattern(pattern.removeprefix("!"), name):
            if pattern.startswith("!"):
                return False
            hit = True
    return hit


def _matches_pattern(pattern: str, name: str) -> bool:
    """Match a pattern. Only ``*`` and ``?`` are special: brackets enclose a name with a port."""
    if "*" not in pattern and "?" not in pattern:
        return pattern == name
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), name, re.DOTALL) is not None


def _matches_hash(word: str, name: str) -> bool:
    parts = word.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return False
    try:
        salt, digest = base64.b64decode(parts[2], validate=True), base64.b64decode(parts[3], validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def keys_of(text: str) -> list[asyncssh.SSHKey] | None:
    """Parse a plain list of revoked keys, one a line. None if a line is no key: then the list cannot be used."""
    out = []
    for line in text.split("\n"):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        words = line.split(None, 2)
        key = public_key(" ".join(words[:2]))
        if key is None:
            return None
        out.append(key)
    return out
