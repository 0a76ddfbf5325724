"""A network of one wire: a namespace of its own for a server, and a link to it that can be cut.

Owns the namespace and the link; both are gone after ``close``. Needs root and a kernel that makes network namespaces;
``WireError`` says which of them is missing. Where they are there, all else has to work.
"""

from __future__ import annotations

import os
import shutil
import subprocess


class WireError(Exception):
    """No such network can be made here."""


class Wire:
    """The link ends here as ``198.18.N.1``, there as ``address``. 198.18.0.0/15 is for such tests (RFC 2544)."""

    def __init__(self) -> None:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise WireError("a network namespace needs root and ip(8)")
        net = _reserve()
        self._space, here, self._there = _name(net), f"agtw{net}h", f"agtw{net}t"
        self.address = f"198.18.{net}.2"
        self.within = ["ip", "netns", "exec", self._space]
        try:
            _ip("link", "add", here, "type", "veth", "peer", "name", self._there, "netns", self._space)
            _ip("address", "add", f"198.18.{net}.1/30", "dev", here)
            _ip("link", "set", here, "up")
            _ip("-n", self._space, "address", "add", f"{self.address}/30", "dev", self._there)
            _ip("-n", self._space, "link", "set", "lo", "up")
            self.mend()
        except AssertionError:
            self.close()
            raise

    def cut(self) -> None:
        """From now on what is sent is lost, both ways; connections are not told."""
        _ip("-n", self._space, "link", "set", self._there, "down")

    def mend(self) -> None:
        _ip("-n", self._space, "link", "set", self._there, "up")

    def close(self) -> None:
        """Take the namespace away, and the link with it. Idempotent."""
        subprocess.run(["ip", "netns", "delete", self._space], capture_output=True, check=False)


def _name(net: int) -> str:
    return f"agt-wire-{net}"


def _reserve() -> int:
    """The number of a subnet that nobody uses: its namespace is made, which only one of several can do."""
    for net in range(1, 255):
        subnet = f"198.18.{net}.0/30"
        if _ip("-4", "-o", "address", "show", "to", subnet) or _ip("-4", "route", "show", "root", subnet):
            continue  # a test network of somebody else
        made = subprocess.run(["ip", "netns", "add", _name(net)], capture_output=True, text=True, check=False)
        if made.returncode == 0:
            return net
        if "File exists" not in made.stderr:
            raise WireError(f"no network namespace can be made here: {made.stderr.strip()}")
    raise AssertionError("254 test networks are there already: ip netns list")


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr.strip()}"
    return done.stdout
