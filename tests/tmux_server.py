"""A private tmux server as libtmux sees it: what tests, demo and bench build and inspect their servers with."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

import libtmux


def private_server(socket: Path, env: Mapping[str, str], program: str = "tmux") -> libtmux.Server:
    """The server on ``socket``, without a configuration file; ``env`` is the whole environment of its clients.

    libtmux cannot set the environment, so its client is a small script beside the socket that does.
    """
    client = socket.with_name(f"{socket.name}.client")
    words = [shutil.which("env") or "env", "-i", *(f"{name}={value}" for name, value in env.items())]
    text = f'#!/bin/sh\nexec {shlex.join([*words, program, "-u"])} "$@"\n'
    if not client.exists() or client.read_text() != text:
        client.write_text(text)
        client.chmod(0o700)
    return libtmux.Server(socket_path=socket, config_file="/dev/null", tmux_bin=client)
