"""The head of a request decides whether the server looks at it: rebinding, other origins and forms are refused."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from agtmuxd.features.web.checks import own_hosts, refusal

pytestmark = pytest.mark.tc("TC-292")
HOSTS = own_hosts(7777, ["box.tail1234.ts.net", "Localhost:9000"])
OWN = "127.0.0.1:7777"


def judged(method: str = "GET", *headers: tuple[str, str]) -> str | None:
    """The reason of the refusal, or its code. None: it may pass."""
    found = refusal(method, CIMultiDict(headers), HOSTS)
    return None if found is None else str(found.details.get("reason", found.code))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:7777", "localhost:7777", "LOCALHOST:7777", "[::1]:7777", "box.tail1234.ts.net", "localhost:9000"],
)
def test_its_own_addresses_and_those_of_the_configuration_pass(host: str) -> None:
    assert judged("GET", ("Host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "", "127.0.0.1", "localhost", "127.0.0.1:80", "evil.example", "evil.example:7777", "127.1:7777",
        "127.0.0.1:7777.evil.example", "127.0.0.1:7777@evil.example", "0.0.0.0:7777", "2130706433:7777", "\x1b[2J",
        "box.tail1234.ts.net:7777", "sub.box.tail1234.ts.net", "box.tail1234.ts.net.", "localhost:7777 ",
        "[::ffff:127.0.0.1]:7777",
    ],
)  # fmt: skip
def test_any_other_host_is_refused_so_that_a_rebound_name_reads_nothing(host: str) -> None:
    assert judged("GET", ("Host", host)) == "host"


def test_no_host_and_two_hosts_are_refused() -> None:
    assert judged("GET") == "host"
    assert judged("GET", ("Host", OWN), ("Host", "evil.example")) == "host"


@pytest.mark.parametrize("origin", [f"http://{OWN}", f"https://{OWN}"])
def test_its_own_origin_passes(origin: str) -> None:
    assert judged("GET", ("Host", OWN), ("Origin", origin)) is None


@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:7778", f"http://{OWN}.evil.example",
     "http://localhost:7777", f"ftp://{OWN}", f"http://{OWN}/", "https://box.tail1234.ts.net"],
)  # fmt: skip
def test_any_other_origin_is_refused_also_another_of_its_own_addresses(origin: str) -> None:
    assert judged("POST", ("Host", OWN), ("Origin", origin), ("Content-Type", "application/json")) == "origin"


@pytest.mark.parametrize(("site", "reason"), [
    ("same-origin", None), ("none", None), ("same-site", "site"), ("cross-site", "site"), ("anything", "site"),
])  # fmt: skip
def test_only_its_own_page_and_the_user_may_ask(site: str, reason: str | None) -> None:
    assert judged("GET", ("Host", OWN), ("Sec-Fetch-Site", site)) == reason


LINK = (("Host", OWN), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"))


def test_a_link_to_the_page_may_be_followed_from_elsewhere() -> None:
    assert judged("GET", *LINK) is None


@pytest.mark.parametrize("more", [
    ("POST", ("Content-Type", "application/json")), ("GET", ("Authorization", "Bearer x")),
    ("GET", ("Sec-Fetch-Site", "cross-site")),
])  # fmt: skip
def test_but_only_to_open_it_without_a_token(more: tuple[str, tuple[str, str]]) -> None:
    method, header = more
    heads = (
        LINK
        if header[0] != "Sec-Fetch-Site"
        else (*LINK[:2], ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe"))
    )
    assert judged(method, *heads, header) == "site"


@pytest.mark.parametrize("kind", [
    "text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "multipart/form-data", "",
    "application/json-patch+json", "text/json",
])  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_a_change_has_to_be_json_which_no_form_can_send(method: str, kind: str) -> None:
    assert judged(method, ("Host", OWN), ("Content-Type", kind)) == "E_INVALID_REQUEST"
    assert judged(method, ("Host", OWN), ("Content-Type", "application/json; charset=utf-8")) is None
