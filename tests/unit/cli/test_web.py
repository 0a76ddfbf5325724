"""What ``agtmux web`` prints: addresses, the single-use link, the QR code, devices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agtmux.cli.web import _qr
from tests.unit.daemon_stub import STAMP, Stub, agtmux

pytestmark = pytest.mark.tc("TC-291")
URL = "http://127.0.0.1:4567/"


def status(**fields: Any) -> dict[str, Any]:
    return {"on": True, "listening": True, "port": 4567, "urls": [URL], "devices": 1, "problem": None, "moved": False,
            **fields}  # fmt: skip


def said(folder: Path, *argv: str) -> str:
    done = agtmux(folder, "web", *argv)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode() + done.stderr.decode()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (status(), f"the web page is on: {URL} (1 device linked)"),
        (status(devices=0), f"the web page is on: {URL} (0 devices linked; run agtmux web link to add one)"),
        (status(on=False, listening=False), "the web page is off: run agtmux web on"),
        (status(listening=False, problem="port 4567 is in use"), "the web page is on, but not reachable: port 4567 is"),
    ],
)
def test_the_status_says_where_it_is_or_why_it_is_not(short_dir: Path, stub: Stub, body: Any, text: str) -> None:
    stub.answer("GET /v1/web", body)
    assert said(short_dir, "status").startswith(text)


def test_on_says_when_devices_have_to_be_linked_again(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/web/on", status(moved=True))
    stub.answer("POST /v1/web/off", status(on=False))
    assert "link your devices again" in said(short_dir, "on")
    assert said(short_dir, "off") == "the web page is off; devices stay linked\n"


def link(*urls: str, **fields: Any) -> dict[str, Any]:
    return {"name": "phone", "scope": "act", "expires_at": STAMP, "urls": [f"{url}#k=code" for url in urls], **fields}


def test_a_link_is_printed_with_what_it_allows(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/web/links", link(URL))
    text = said(short_dir, "link", "--name", "phone")
    assert f"\n  {URL}#k=code\n" in text
    assert "within 90 s" in text and "look, approve, deny, answer, prompt and interrupt" in text
    assert stub.calls[-1].body == {"name": "phone", "scope": "act"}
    said(short_dir, "link", "--scope", "observe")
    assert stub.calls[-1].body == {"name": None, "scope": "observe"}


def test_the_code_is_of_the_address_that_a_phone_can_open(short_dir: Path, stub: Stub) -> None:
    """The last one: a name of the configuration, if there is one. Without one, a hint says how to get one."""
    stub.answer("POST /v1/web/links", link(URL, "https://box.ts.net/"))
    text = said(short_dir, "link", "--qr")
    assert _qr("https://box.ts.net/#k=code", False) in text
    assert "phone.md" not in text
    stub.answer("POST /v1/web/links", link(URL))
    assert "docs/how-to/phone.md" in said(short_dir, "link", "--qr")


def test_the_code_can_be_read_on_dark_and_light_terminals() -> None:
    styled = _qr(URL, True).splitlines()
    assert all(line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m") for line in styled)
    assert "\x1b" not in _qr(URL, False)


def test_devices_are_listed_and_removed(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/web/devices", {"items": []})
    assert said(short_dir, "devices") == "no device is linked: run agtmux web link\n"
    item = {"name": "phone", "scope": "act", "created_at": STAMP, "seen_at": None, "connected": True}
    stub.answer("GET /v1/web/devices", {"items": [item]})
    head, row = said(short_dir, "devices").splitlines()
    assert head.split() == ["NAME", "SCOPE", "LINKED", "SEEN", "OPEN"]
    assert (row.split()[:2], row.split()[-2:]) == (["phone", "act"], ["-", "yes"])
    stub.answer("DELETE /v1/web/devices/phone", {"revoked": "phone"})
    assert said(short_dir, "revoke", "phone") == "removed phone\n"
    assert json.loads(said(short_dir, "revoke", "phone", "--json"))["revoked"] == "phone"
