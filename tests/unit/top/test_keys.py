"""The table of keys, and keymaps from the configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmux.top.keys import BY_ID, DEFAULTS, FIXED, KEYS, read_keymap, sign, signs

TAKEN = {"ctrl+a", "ctrl+b", "ctrl+o", "ctrl+q", "ctrl+s", "ctrl+w", "ctrl+z"}
"""Prefixes of tmux and screen, flow control, and keys that close windows."""


@pytest.mark.tc("TC-304")
def test_no_default_is_a_key_that_terminals_or_people_use_for_something_else() -> None:
    """No prefix, no flow control, no Alt with a digit, no function key; and no key does two things."""
    keys = [key for one in KEYS for key in one.keys]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & (TAKEN | set(FIXED))
    assert not [key for key in keys if key.startswith("alt+") or re.fullmatch(r"f\d+", key)]
    assert len(BY_ID) == len(KEYS)
    assert all(one.help.endswith(".") and one.keys for one in KEYS)


@pytest.mark.tc("TC-304")
def test_a_keymap_replaces_the_keys_of_an_id() -> None:
    keymap = read_keymap({"approve": "y", "deny": ["ctrl+n", "D"], "filter": ",", "mute": ""})
    assert keymap["approve"] == ("y",)
    assert keymap["deny"] == ("ctrl+n", "D")
    assert keymap["filter"] == ("comma",)
    assert keymap["mute"] == ()
    assert keymap["quit"] == ("q",)
    assert read_keymap({}) == DEFAULTS
    assert read_keymap({"approve": "d", "deny": "a"})["approve"] == ("d",)
    assert read_keymap({"down": "Ctrl+J", "bigger": "ctrl++"})["bigger"] == ("ctrl++",)


@pytest.mark.tc("TC-304")
@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"aprove": "y"}, "[top.keys] has no aprove: did you mean approve?"),
        ({"zzz": "y"}, "[top.keys] has no zzz; there are down, up"),
        ({"approve": "y", "deny": "y"}, "gives y to approve and to deny"),
        ({"approve": "d"}, "gives d of deny to approve: give deny another key"),
        ({"approve": "hyper+y"}, "approve: hyper+y is not a key"),
        ({"approve": "ctrl+ctrl+y"}, "approve: ctrl+ctrl+y is not a key"),
        ({"approve": "escape"}, "escape always does one thing (go one level back)"),
        ({"approve": "ctrl+c"}, "ctrl+c always does one thing (quit)"),
        ({"approve": 5}, 'approve is not a key: write it like approve = "a"'),
        ({"quit": ""}, "leaves no key for quit"),
        ({"quit": []}, "leaves no key for quit"),
        ({"approve": "q"}, "gives q of quit to approve"),
        ("a", "is not a table"),
        ({"approve\x1b[2J": "y"}, "has no approve[2J"),
    ],
)
def test_a_keymap_that_cannot_be_is_refused_by_name(wanted: object, says: str) -> None:
    """An unknown id or key, a key for two ids, or no way to quit. Nothing is drawn then."""
    with pytest.raises(AgtmuxError) as caught:
        read_keymap(wanted)
    assert caught.value.code == "E_INVALID_REQUEST"
    assert says in caught.value.message


@pytest.mark.tc("TC-304")
def test_keys_are_shown_as_they_are_typed() -> None:
    assert [sign(key) for key in ("ctrl+d", "enter", "comma", "a", "ctrl++", "pageup")] == [
        "^d", "⏎", ",", "a", "^+", "pageup",
    ]  # fmt: skip
    assert signs(DEFAULTS, "palette") == ": ^p"


@pytest.mark.tc("TC-117")
def test_the_table_of_keys_in_the_reference_is_that_of_the_program() -> None:
    """Ids, keys and texts, in order."""
    page = (Path(__file__).parents[3] / "docs/reference/top.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (`.*`) \| (.*) \|$", page.split("## Keys")[1].split("## Acting")[0], re.M)
    assert rows == [(key.id, " ".join(f"`{one}`" for one in key.keys), key.help) for key in KEYS]
