"""A network of one wire: a namespace of its own for a server, and a link to it that can be cut.

Owns the namespace and the link; both are gone after ``close``. Needs root; ``WireError`` says what is missing.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess


class WireError(Exception):
    """No such network can be made here."""


class Wire:
    """The link ends here as ``198.18.N.1``, there as ``address``. 198.18.0.0/15 is for such tests (RFC 2544)."""

    def __init__(self) -> None:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise WireError("a network namespace needs root and ip(8)")
        name, net = secrets.token_hex(3), 1 + secrets.randbelow(254)
        self._space, here, self._there = f"agt-{name}", f"ag{name}h", f"ag{name}t"
        self.address = f"198.18.{net}.2"
        self.within = ["ip", "netns", "exec", self._space]
        try:
            self._ip("netns", "add", self._space)
            self._ip("link", "add", here, "type", "veth", "peer", "name", self._there, "netns", self._space)
            self._ip("address", "add", f"198.18.{net}.1/30", "dev", here)
            self._ip("link", "set", here, "up")
            self._ip("-n", self._space, "address", "add", f"{self.address}/30", "dev", self._there)
            self._ip("-n", self._space, "link", "set", "lo", "up")
            self.mend()
        except WireError:
            self.close()
            raise

    def cut(self) -> None:
        """From now on what is sent is lost, both ways; connections are not told."""
        self._ip("-n", self._space, "link", "set", self._there, "down")

    def mend(self) -> None:
        self._ip("-n", self._space, "link", "set", self._there, "up")

    def close(self) -> None:
        """Take the namespace away, and the link with it. Idempotent."""
        subprocess.run(["ip", "netns", "delete", self._space], capture_output=True, check=False)

    def _ip(self, *words: str) -> None:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise WireError(f"ip {' '.join(words)}: {done.stderr.strip()}")
