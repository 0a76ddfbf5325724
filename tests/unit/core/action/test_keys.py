"""Keys as agents spell them."""

from __future__ import annotations

import pytest

from agtmuxd.core.action.keys import named


@pytest.mark.tc("TC-174")
@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("esc", "Escape"), ("Esc", "Escape"), ("escape", "Escape"), ("f12", "F12"), ("ctrl+x", "C-x"),
        ("Ctrl-X", "C-x"),
        ("alt+p", "M-p"), ("shift+tab", "BTab"), ("enter", "Enter"), ("return", "Enter"), ("ctrl+alt+b", "C-M-b"),
        ("space", "Space"), ("q", "q"), ("-", "-"), ("shift+g", "G"), ("pageup", "PageUp"), ("ctrl-_", "C-_"),
        ("ctrl+enter", None), ("cmd+k", None), ("ctrl+x ctrl+k", None), ("<leader>x", None), ("f13", None),
        ("shift+enter", None), ("", None), ("none", None), ("ctrl+shift+x", None), ("ctrl+1", None),
    ],
)  # fmt: skip
def test_a_key_is_known_as_agents_spell_it_or_not_at_all(spelled: str, name: str | None) -> None:
    assert named(spelled) == name
