"""Choose the keys to offer to one host: key files, certificates and the ssh agent's keys, as the ssh config says.

Owns the choice of keys, their order, and the reason why a key is skipped. Never asks for a passphrase or a PIN. Opens
no connection except to the ssh agent.
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncssh
from asyncssh.agent import SSHAgentClient

KEY_MOST: Final = 1024 * 1024
"""Bytes that are read of one key file."""
_MAGIC: Final = b"openssh-key-v1\0"
_PUBLIC_ONLY: Final = "only its public half exists"


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """The keys that the ssh config names. ``agent``: the ssh agent's socket, None for no agent.

    ``only``: leave out other keys of the ssh agent. ``skipped``: sources of keys that are not used, and why.
    """

    identities: Sequence[str] = ()
    certificates: Sequence[str] = ()
    agent: str | None = None
    only: bool = False
    smallest_rsa: int = 0
    skipped: Sequence[str] = ()


@dataclass(slots=True)
class KeyRing:
    """The key pairs in the order in which they are offered, and why others are left out."""

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    agent: SSHAgentClient | None = None

    def close(self) -> None:
        """Close the connection to the ssh agent. Its key pairs cannot be used any more."""
        if self.agent is not None:
            self.agent.close()


@dataclass(slots=True)
class Files:
    """What the files hold: key pairs, paths by public key (to find keys of the agent), certificates by public key."""

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    halves: dict[bytes, str] = field(default_factory=dict)
    certificates: dict[bytes, asyncssh.SSHCertificate] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def read_files(wanted: KeyOptions) -> Files:
    """Load the key files and certificates. Blocks. Skips and names a file that cannot be used, as ssh does."""
    out = Files(skipped=list(wanted.skipped))
    for path in wanted.certificates:
        try:
            for certificate in asyncssh.load_certificates(path):
                out.certificates[certificate.key.public_data] = certificate
        except (asyncssh.KeyImportError, OSError, ValueError) as error:
            out.skipped.append(f"{path}: {error}")
    for path in wanted.identities:
        _read_identity(path, wanted, out)
    return out


def _read_identity(path: str, wanted: KeyOptions, out: Files) -> None:
    half = _public_half(path)
    if half is not None:
        out.halves[half] = path
    try:
        status = Path(path).stat()
    except OSError as error:
        if half is None and not isinstance(error, FileNotFoundError):
            out.skipped.append(f"{path}: {error.strerror}")
        return
    if status.st_uid == os.getuid() and status.st_mode & 0o077 and b"PRIVATE KEY" in _content(path):
        out.skipped.append(f"{path}: others may read it (mode {status.st_mode & 0o777:03o}): run chmod 600 {path}")
        return
    try:
        pairs = asyncssh.load_keypairs(path, None, list(out.certificates.values()), half is not None, True)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError, ValueError) as error:
        out.skipped.append(f"{path}: {error}")
        return
    if not pairs:
        public = half is not None and b"PRIVATE KEY" not in _content(path)
        out.skipped.append(
            f"{path}: {_PUBLIC_ONLY if public else 'it has a passphrase'}: add it to the ssh agent (ssh-add)"
        )
    for pair in pairs:
        out.halves.setdefault(pair.key_public_data, path)
        if _too_small(pair.key_public_data, wanted.smallest_rsa):
            out.skipped.append(f"{path}: is shorter than RequiredRSASize {wanted.smallest_rsa}")
        else:
            out.pairs.append(pair)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(KEY_MOST)
    except OSError:
        return b""


def _public_half(path: str) -> bytes | None:
    """Return the public key of a key file: from ``PATH.pub``, the file itself, or the private key in it."""
    for name in (f"{path}.pub", path):
        data = _content(name)
        if not data or b"PRIVATE KEY" in data:
            continue
        try:
            return asyncssh.import_public_key(data).public_data
        except (asyncssh.KeyImportError, ValueError):
            continue
    return _from_private(_content(path))


def _from_private(data: bytes) -> bytes | None:
    """Return the public key from a private key in OpenSSH's own format; it is readable even if the key is encrypted."""
    lines = data.replace(b"\r", b"").split(b"\n")
    try:
        first = lines.index(b"-----BEGIN OPENSSH PRIVATE KEY-----")
        last = lines.index(b"-----END OPENSSH PRIVATE KEY-----")
        raw = base64.b64decode(b"".join(lines[first + 1 : last]))
        if not raw.startswith(_MAGIC):
            return None
        at = len(_MAGIC)
        for _ in range(3):  # cipher, kdf, its options
            at += 4 + struct.unpack_from(">I", raw, at)[0]
        at += 4  # how many keys
        length = struct.unpack_from(">I", raw, at)[0]
    except (ValueError, binascii.Error, struct.error):
        return None
    return raw[at + 4 : at + 4 + length] or None


def too_small(key: asyncssh.SSHKey, bits: int) -> bool:
    """Return whether this is an RSA key of fewer than ``bits`` bits."""
    return _too_small(key.public_data, bits)


def _too_small(blob: bytes, bits: int) -> bool:
    try:
        length = struct.unpack_from(">I", blob, 0)[0]
        if blob[4 : 4 + length] != b"ssh-rsa":
            return False
        at = 4 + length
        at += 4 + struct.unpack_from(">I", blob, at)[0]
        size = struct.unpack_from(">I", blob, at)[0]
        return int.from_bytes(blob[at + 4 : at + 4 + size], "big").bit_length() < bits
    except struct.error:
        return True


async def gather(wanted: KeyOptions, files: Files) -> KeyRing:
    """Return keys in ssh's order: the agent's keys that the config names, its other keys, then the key files."""
    ring = KeyRing(skipped=files.skipped)
    agent_keys: list[asyncssh.SSHKeyPair] = []
    if wanted.agent:
        ring.agent = SSHAgentClient(wanted.agent)
        try:
            agent_keys = list(await ring.agent.get_keys())
        except (ValueError, OSError, asyncssh.Error) as error:
            ring.skipped.append(f"the agent at {wanted.agent} does not answer ({error or 'it hung up'})")
    named = [pair for pair in agent_keys if _half(pair) in files.halves]
    others = [] if wanted.only else [pair for pair in agent_keys if _half(pair) not in files.halves]
    for pair in (*named, *others):
        certificate = files.certificates.get(pair.key_public_data)
        if certificate is not None and not pair.has_cert:
            pair.set_certificate(certificate)
    in_agent = {pair.key_public_data for pair in agent_keys}
    local = [pair for pair in files.pairs if pair.has_cert or pair.key_public_data not in in_agent]
    ring.pairs = [*named, *others, *local]
    return ring


def _half(pair: asyncssh.SSHKeyPair) -> bytes:
    """Return the public key of a pair; for a certificate in the ssh agent, the key that it certifies."""
    if not pair.has_cert:
        return pair.key_public_data
    try:
        return asyncssh.import_certificate(pair.algorithm + b" " + base64.b64encode(pair.public_data)).key.public_data
    except (asyncssh.KeyImportError, ValueError):
        return pair.key_public_data


def default_identities(home: Path) -> list[str]:
    """Return the key files that ssh uses if the config names none."""
    return [str(home / ".ssh" / f"id_{kind}") for kind in ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk")]
