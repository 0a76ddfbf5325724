"""Codex's ``notify`` in any valid config.toml: it goes in, is replaced and comes out, and every other byte stays."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.adapters.codex.adapter import CodexAdapter

COMMANDS = ["/opt/agtmux hook", "'/opt/my \x7f tools/agtmux' hook", "'/o\"p\\t/agtmux' hook"]
WORD = st.text(st.characters(blacklist_categories=["Cs", "Cc"]) | st.sampled_from("\t\x7f\u2028\u0085"), max_size=6)
PROGRAM = st.lists(WORD | st.sampled_from(["/usr/bin/say", "a b", "$1", "'", '"$1"', "#x", "agtmux"]), max_size=3)
LINES = [
    'model = "o3"', '# notify = ["x"]', "", "  # c", "a.b.c = 1", 'x = { y = 1, notify = ["z"] }', "d = 1979-05-27",
    's = """\nnotify = ["inside"]\n"""', "t = '''\nnotify = [\n'''", "arr = [\n 1,\n 2,\n]", 'u = "notify = [1]"',
]  # fmt: skip
TABLES = [
    "[tui]\nnotifications = true", '[tui]\nnotify = ["theirs"]', '[profiles."x.y"]\nmodel="z"',
    '[[mcp]]\nname = "a"\n[[mcp]]\nname="b"\nnotify = ["c"]',
]  # fmt: skip


@st.composite
def notify(draw: st.DrawFn) -> str:
    """The key as somebody may have written it."""
    words = [json.dumps(word, ensure_ascii=False).replace("\x7f", "\\u007f") for word in draw(PROGRAM)]
    key = draw(st.sampled_from(["notify", "'notify'", '"notify"', '"notif\\u0079"', " notify"]))
    comma, ends = draw(st.sampled_from([(", ", ""), (", ", "  # mine"), (",\n  ", ""), (", # x\n", "")]))
    return f"{key}{draw(st.sampled_from([' = ', '=']))}[{comma.join(words)}]{ends}"


@st.composite
def configs(draw: st.DrawFn) -> str:
    rows = draw(st.lists(st.sampled_from(LINES), max_size=4, unique=True))
    if draw(st.booleans()):
        rows.insert(draw(st.integers(0, len(rows))), draw(notify()))
    text = "\n".join([*rows, *draw(st.lists(st.sampled_from(TABLES), max_size=2))])
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return draw(st.sampled_from(["", "", "\ufeff"])) + text + draw(st.sampled_from(["", "\n", "\n\n", " "]))


def put(home: Path, command: str, *, remove: bool = False) -> bytes:
    for plan in CodexAdapter().plan_hooks(home, command, remove=remove):
        if plan.after is None:
            plan.path.unlink(missing_ok=True)
        else:
            plan.path.write_bytes(plan.after.encode())
    return (home / "config.toml").read_bytes()


@pytest.mark.tc("TC-102")
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=configs(), command=st.sampled_from(COMMANDS))
def test_any_config_is_byte_for_byte_the_same_after_install_upgrade_and_uninstall(
    text: str, command: str, tmp_path: Path
) -> None:
    try:
        before = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        return
    file, raw = tmp_path / "config.toml", text.encode()
    file.write_bytes(raw)
    fresh = put(tmp_path, command)
    now = tomllib.loads(fresh.decode().removeprefix("\ufeff"))
    assert {k: v for k, v in now.items() if k != "notify"} == {k: v for k, v in before.items() if k != "notify"}
    adapter = CodexAdapter()
    assert not any(plan.changes for plan in adapter.plan_hooks(tmp_path, command, remove=False))
    assert not any(status.outdated for status in adapter.hook_status(tmp_path, command))
    file.write_bytes(raw)
    put(tmp_path, "/old/place/agtmux hook")
    assert put(tmp_path, command) == fresh, "an upgrade leaves what a fresh install does"
    assert put(tmp_path, command, remove=True) == raw


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("text", ["", "\ufeff", '\ufeffnotify = ["say"]\n'])
def test_an_empty_config_or_one_with_a_mark_is_left_as_it_was(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode())
    for command in ("/old/place/agtmux hook", *COMMANDS):
        put(tmp_path, command)
        assert [s.outdated for s in CodexAdapter().hook_status(tmp_path, command)] == [False, False]
        assert put(tmp_path, command).count(b"codex") == 1
    assert put(tmp_path, COMMANDS[0], remove=True) == text.encode()
