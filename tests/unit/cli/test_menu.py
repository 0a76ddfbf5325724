"""The words of the menu: what stands in it, and that nothing in it is run."""

from __future__ import annotations

import calendar
from typing import Any

import pytest

from agtmux.cli.menu import COLUMNS, labels, menu_words
from agtmux.cli.tmux_server import Client
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import width
from tests.unit.daemon_stub import STAMP, pane

CLIENT = Client("/dev/pts/7", "$1", "@1", "%1", 100, 30)
NOW = calendar.timegm((2026, 1, 1, 0, 5, 0))
pytestmark = pytest.mark.tc("TC-366")


def waits(**fields: Any) -> dict[str, Any]:
    row = pane(state="waiting_approval", attention="needs_action", attention_since=STAMP)
    return {**row, "waiting_for": {"subject": "Bash", "text": "make test"}, **fields}


def words(*items: dict[str, Any], client: Client = CLIENT) -> list[str]:
    return menu_words(client, items, ["/a b/agtmux"], ["display-popup", "--", "/a b/agtmux", "top"], NOW)


def test_entries_say_in_columns_who_waits_where_how_long_and_for_what() -> None:
    identity = {**pane()["identity"], "target": "build"}
    failed = waits(state="error", waiting_for=None, identity=identity, reason_code="rate_limit", task="add a route")
    assert labels([waits(agent_type="codex"), failed, waits(waiting_for=None)], NOW) == [
        "! codex  work:1.0       5m Bash: make test",
        "✗ claude build work:1.0 5m rate_limit: add a route",
        "! claude work:1.0       5m",
    ]


def test_each_entry_has_a_key_and_goes_to_a_full_ref_for_the_client_that_asked() -> None:
    told = words(waits(), waits())
    assert told[:3] == ["display-menu", "-c", "/dev/pts/7"]
    at = told.index("--") + 1
    assert told[at + 1] == "1" and told[at + 4] == "2"
    assert told[at + 2] == """run-shell -b "'/a b/agtmux' jump --client /dev/pts/7 -- pane:host/work/@1/%1\""""
    assert told[-4:-1] == ["", "dashboard", "d"]
    assert told[-1] == 'display-popup -- "/a b/agtmux" top'


@pytest.mark.tc("TC-367")
def test_a_text_is_cut_and_holds_no_format_and_no_control_character() -> None:
    evil = "#(id) #[fg=red]x \x1b]0;y\x07\u202e\n" + "日" * 3000
    text = words(waits(waiting_for={"subject": None, "text": evil}))[words().index("--") + 1]
    assert "##(id) ## [fg=red]x ]0;y 日" in text
    assert width(text.replace("##", "#")) <= COLUMNS
    assert text.endswith("…")


@pytest.mark.tc("TC-367")
@pytest.mark.parametrize(
    "ref", ["", "pane:host/a b/@1/%1", "runtime:x; kill-server aaaaaaaa", "%1", "pane:host/#(id)/@1/%1;"]
)
def test_a_ref_that_is_none_is_not_put_into_a_command(ref: str) -> None:
    with pytest.raises(AgtmuxError, match="the daemon sent something that is not a ref"):
        words(waits(ref=ref))


def test_a_small_client_gets_a_menu_that_fits() -> None:
    many = [waits() for _ in range(40)]
    small = Client("c", "$1", "@1", "%1", 40, 12)
    told = words(*many, client=small)
    entries = told[told.index("--") + 1 :: 3]
    assert len([entry for entry in entries if entry.startswith("!")]) == 6
    assert all(width(entry) <= 34 for entry in entries)
    assert len([w for w in words(*many) if w.startswith("!")]) == 20
