"""Send one HTTP request to an address that may be reached: public ones, and private ones only if that is allowed.

The addresses of a name are looked up once, checked, and then used: the name cannot change its address in between.
Redirects are not followed, and no proxy is used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from agtmux import __version__
from agtmux.protocol.text import one_line

MOST_ANSWER: Final = 2048
"""Bytes that are read of an answer."""
SHOWN: Final = 120
"""Characters of an answer that are shown."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_CARRIER: Final = ipaddress.ip_network("100.64.0.0/10")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedAddressError(OSError):
    """The address may not be reached."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``retry_after``: seconds that the server asks to wait. ``text``: the start of the body."""

    status: int
    text: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why nothing came back. ``sent``: whether the request may have arrived all the same."""

    why: str
    sent: bool


def why_refused(address: str, allow_private: bool) -> str | None:
    """Say why an IP address may not be reached. None: it may."""
    found: Address = ipaddress.ip_address(address.partition("%")[0])
    inner = _inner(found)
    if inner is not None:
        found = inner
    reserved = found.is_reserved and not found.is_loopback  # ::1 is both
    if found.is_multicast or found.is_unspecified or found.is_link_local or reserved:
        return f"{address} is no address of a server"
    if found.is_global:
        return None
    private = found.is_private or found.is_loopback or (found.version == 4 and found in _CARRIER)
    if private and allow_private:
        return None
    return f"{address} is a private address: set allow_private = true to allow it"


def _inner(address: Address) -> Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


class GuardedResolver(AbstractResolver):
    """Looks names up, and refuses a name if one of its addresses may not be reached."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError, RefusedAddressError."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        results: list[ResolveResult] = []
        for kind, _, proto, _, address in found:
            refused = why_refused(str(address[0]), self._allow_private)
            if refused is not None:
                raise RefusedAddressError(refused)
            numeric = socket.AI_NUMERICHOST
            results.append(ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=kind, proto=proto, flags=numeric
            ))  # fmt: skip
        if not results:
            raise OSError(None, f"{host} has no address")
        return results

    async def close(self) -> None:
        """There is nothing to give back."""


async def request(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, allow_private: bool, seconds: float
) -> Answer | NoAnswer:
    """Send one request and read the start of its answer. Never raises for what the network does."""
    target = URL(url, encoded=True)
    host = target.host or ""
    try:
        refused = why_refused(host, allow_private)
    except ValueError:  # it is a name, whose addresses the resolver checks, or a number that means an address
        numeric = host.replace(".", "").isdigit()
        refused = f"{host} is no address: write its four numbers in full" if numeric else None
    if refused is not None:
        return NoAnswer(refused, sent=False)
    connector = aiohttp.TCPConnector(resolver=GuardedResolver(allow_private), use_dns_cache=False, force_close=True)
    timeout = aiohttp.ClientTimeout(total=seconds, connect=seconds * 2 / 3)
    sent = {"User-Agent": f"agtmux/{__version__}", **headers}
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.request(method, target, data=body, headers=sent, allow_redirects=False) as answer,
        ):
            text = await answer.content.read(MOST_ANSWER)
            return Answer(answer.status, _shown(text), retry_after(answer.headers.get("Retry-After")))
    except aiohttp.ClientConnectorError as error:
        return NoAnswer(_why(host, error), sent=False)
    except aiohttp.InvalidURL:
        return NoAnswer(f"{host} is no address", sent=False)
    except aiohttp.ConnectionTimeoutError:
        return NoAnswer(f"{host} cannot be reached within {seconds * 2 / 3:g} s", sent=False)
    except TimeoutError:
        return NoAnswer(f"{host} did not answer within {seconds:g} s", sent=True)
    except (aiohttp.ClientError, OSError) as error:
        return NoAnswer(f"{host} gave no answer: {one_line(str(error))[:SHOWN] or type(error).__name__}", sent=True)


def _why(host: str, error: aiohttp.ClientConnectorError) -> str:
    """Say why no connection was made, without the address, which may hold a secret."""
    if isinstance(error, aiohttp.ClientSSLError):
        return f"{host} has no certificate that this machine trusts"
    cause = error.os_error
    if isinstance(cause, RefusedAddressError):
        return f"{host}: {cause}"
    return f"{host} cannot be reached: {cause.strerror or one_line(str(cause))[:SHOWN] or type(cause).__name__}"


def _shown(text: bytes) -> str:
    return " ".join(one_line(text.decode("utf-8", "replace")).split())[:SHOWN]


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds of a Retry-After header: a number or a date. None if there is none, or it cannot be read."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdecimal():
        return float(value.strip()[:12])
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    if then.tzinfo is None:
        return None
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())
