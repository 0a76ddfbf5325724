"""Read host keys from known_hosts files and from KnownHostsCommand, and read lists of revoked keys.

Owns how these programs are run, as ssh does it. ``known_hosts`` decides which keys a name has.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import asyncssh

from agtmuxd.targets.executor import ProgramResult
from agtmuxd.targets.local.child_process import Child
from agtmuxd.targets.ssh import known_hosts
from agtmuxd.targets.ssh.effective_settings import ConfigError, EffectiveSettings
from agtmuxd.targets.ssh.known_hosts import Trust

FILE_MOST: Final = 16 * 1024 * 1024
"""Bytes that are read of one file of host keys."""
_ANSWER_MOST: Final = 1024 * 1024
_KRL: Final = b"SSHKRL\n\0"


async def by_command(
    settings: EffectiveSettings, names: Sequence[str], key: asyncssh.SSHKey | None, environ: Mapping[str, str]
) -> Trust:
    """Run KnownHostsCommand for a host and return its keys. ``key``: the key that the host showed, None before that.

    A command that fails returns no keys, as with ssh. Raises ConfigError.
    """
    written = settings.first("knownhostscommand")
    if not written or written == "none":
        return Trust()
    try:
        words = shlex.split(written)
    except ValueError as error:
        raise ConfigError(f"KnownHostsCommand {written}: {error}") from error
    if not words or not words[0].startswith("/"):
        raise ConfigError(f"KnownHostsCommand {written}: ssh needs an absolute path")
    tokens = {"H": names[0], "I": "ORDER", "t": "NONE", "f": "NONE", "K": "NONE"}
    if key is not None:
        tokens |= {
            "I": "HOSTNAME", "t": key.get_algorithm(), "f": key.get_fingerprint(),
            "K": base64.b64encode(key.public_data).decode(),
        }  # fmt: skip
    argv = [words[0], *(settings.path(word, "KnownHostsCommand", tokens) for word in words[1:])]
    try:
        done = await _run(argv, environ)
    except (OSError, ValueError) as error:
        raise ConfigError(f"KnownHostsCommand {written}: it cannot be started: {error}") from error
    if done.returncode != 0 or done.truncated:
        return Trust()
    return known_hosts.read(done.stdout.decode("utf-8", "replace"), names)


def read_revoked(file: str) -> tuple[list[asyncssh.SSHKey], bool]:
    """Return the keys of RevokedHostKeys, and whether it is a binary list, which only ``ssh-keygen`` reads. Blocks.

    Raises ConfigError if it cannot be read: then ssh accepts no key.
    """
    try:
        with open(file, "rb") as opened:
            data = opened.read(FILE_MOST + 1)
    except OSError as error:
        raise ConfigError(
            f"RevokedHostKeys {file} cannot be read ({error.strerror}): no host key is accepted"
        ) from error
    if data.startswith(_KRL):
        return [], True
    keys = known_hosts.keys_of(data.decode("utf-8", "replace"))
    if keys is None or len(data) > FILE_MOST:
        raise ConfigError(f"RevokedHostKeys {file} is not a list of public keys: no host key is accepted")
    return keys, False


async def by_krl(file: str, trust: Trust, environ: Mapping[str, str]) -> Trust:
    """Return ``trust`` without the keys that a binary list revokes. Raises ConfigError.

    Removes all authorities: only a shown certificate could be checked against the list.
    """
    keygen = shutil.which("ssh-keygen", path=environ.get("PATH", os.defpath))
    if keygen is None:
        raise ConfigError(f"RevokedHostKeys {file} is a binary list, and ssh-keygen, which reads it, is not installed")
    revoked = []
    for key in dict.fromkeys(trust.keys):
        data = key.export_public_key("openssh")
        try:
            done = await _run([keygen, "-Q", "-f", file, "/dev/stdin"], environ, data)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{keygen} cannot be started: {error}") from error
        if done.returncode != 0:  # revoked, or ssh-keygen failed
            revoked.append(key)
    left = trust.without(revoked)
    left.authorities.clear()
    return left


def read_known(files: Sequence[str]) -> str:
    """Return the text of all existing known_hosts files; each begins on a new line. Blocks."""
    out = []
    for name in files:
        path = Path(name)
        if path.is_absolute() and path.is_file() and os.access(path, os.R_OK):
            with path.open("rb") as file:
                out.append(file.read(FILE_MOST).decode("utf-8", "replace"))
    return "\n".join(out) + "\n"


async def _run(argv: Sequence[str], environ: Mapping[str, str], stdin: bytes = b"") -> ProgramResult:
    """Run a program to its end, or until the caller is cancelled. Raises OSError, ValueError."""
    child = Child(asyncio.get_running_loop(), list(argv), environ, stdin, _ANSWER_MOST)
    try:
        return await child.done
    finally:
        child.kill()
