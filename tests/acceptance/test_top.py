"""The dashboard in a real tmux pane, before a real daemon with stand-in agents: what it shows, and what its keys do.

The texts in ``golden/`` are what it shows; ages are masked. ``AGTMUX_GOLDEN=write`` writes them anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Daemon, Place
from tests.attached import Attached
from tests.conftest import Terminal, Tmux, until

Make = Callable[..., Actor]
GOLDEN = Path(__file__).with_name("golden")
TOP = str(PROGRAMS / "agtmux")


class Screen:
    """A dashboard in a pane: ``text`` is what tmux shows of it."""

    def __init__(self, tmux: Tmux, place: Place, cols: int, rows: int, *options: str, **env: str) -> None:
        self.tmux = tmux
        tmux.env = {**place.env, "AGTMUX_NO_AUTOSTART": "1", **env}
        words = ["env", *(f"{name}={value}" for name, value in env.items()), TOP, "top", *options]
        self.pane = tmux.start(*words, session="dashboard", cols=cols, rows=rows)
        tmux.run("set-option", "-g", "remain-on-exit", "on")

    @property
    def text(self) -> str:
        return self.tmux.run("capture-pane", "-p", "-t", self.pane)

    def press(self, *keys: str) -> None:
        self.tmux.run("send-keys", "-t", self.pane, *keys)

    def shows(self, *words: str) -> None:
        until(lambda: all(word in self.text for word in words), within=PATIENCE, what=f"{words} in\n{self.text}")

    def ended(self) -> bool:
        return self.tmux.show(self.pane, "#{pane_dead}") == "1"


@pytest.fixture
def up(daemon: Daemon) -> Iterator[Daemon]:
    """A daemon that runs."""
    yield daemon.start()


@pytest.fixture
def agents(up: Daemon, actor: Make, place: Place) -> dict[str, Actor]:
    """Five agents in folders of their own: one asks for an approval, one asks a question, one works, two are idle."""
    made: dict[str, Actor] = {}
    for name in ("shop", "shed", "docs", "lab", "old"):
        folder = place.home / name
        folder.mkdir()
        size = ("-x", "80", "-y", "24")
        made[name] = actor().start_in("new-session", "-s", name, *size, "-c", str(folder))
        made[name].ready(up)
    made["docs"].tell(run=True, title="Write the docs")
    up.wait_for(made["docs"].pane, "running")
    made["shop"].asks(up, "make clean")
    made["shed"].tell(question="")
    up.wait_for(made["shed"].pane, "waiting_input")
    return made


def masked(text: str) -> str:
    """A screen without what differs from run to run: ages."""
    text = re.sub(r"\b(for|since|seen) \d+[sm]\b", r"\1 AGE", text)
    text = re.sub(r" +\d+[sm](?= |$)", lambda match: "AGE".rjust(len(match[0])), text, flags=re.M)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def steady(screen: Screen) -> str:
    """What it shows once that stays the same."""
    before = ""

    def stays() -> bool:
        nonlocal before
        now = masked(screen.text)
        same, before = now == before, now
        return same

    until(stays, within=PATIENCE, what="the screen stays the same")
    return before


@pytest.mark.tc("TC-038")
@pytest.mark.parametrize(("cols", "rows"), [(80, 24), (160, 50), (40, 20)])
def test_it_shows_what_the_api_says(
    agents: dict[str, Actor], new_tmux: Callable[[], Tmux], place: Place, cols: int, rows: int
) -> None:
    """At three sizes, to the character. What needs you is first, the longest waiting above."""
    screen = Screen(new_tmux(), place, cols, rows)
    screen.shows("approval" if cols > 50 else "! claude", "2 idle")
    if cols == 160:
        screen.shows("Decided by:", "Esc to cancel")
    shown, file = steady(screen), GOLDEN / f"top-{cols}x{rows}.txt"
    if os.environ.get("AGTMUX_GOLDEN") == "write":
        file.write_text(shown)
    assert shown == file.read_text()
    screen.press("q")
    until(screen.ended, what="it ends")


@pytest.mark.tc("TC-038")
def test_without_colours_it_says_the_same(agents: dict[str, Actor], new_tmux: Callable[[], Tmux], place: Place) -> None:
    """NO_COLOR: the same text, no colour, and the selection is reversed."""
    screen = Screen(new_tmux(), place, 80, 24, NO_COLOR="1")
    screen.shows("approval", "2 idle")
    assert steady(screen) == (GOLDEN / "top-80x24.txt").read_text()
    styled = screen.tmux.run("capture-pane", "-p", "-e", "-t", screen.pane)
    codes = {code for found in re.findall(r"\x1b\[([\d;]*)m", styled) for code in found.split(";")}
    assert not {code for code in codes if code[:1] in ("3", "4", "9") and len(code) > 1 and code not in ("39", "49")}
    assert "7" in codes


@pytest.mark.tc("TC-039")
def test_one_stroke_approves_nothing_and_two_approve_what_was_shown(
    agents: dict[str, Actor], up: Daemon, new_tmux: Callable[[], Tmux], place: Place
) -> None:
    """Through the daemon's guards, with the key that the agent's dialog takes."""
    screen = Screen(new_tmux(), place, 80, 24)
    screen.shows("make clean")
    screen.press("a")
    screen.shows("Approve?", "a ⏎ approve  d deny  1-3 choose  Esc close")
    assert agents["shop"].keys() == b""
    screen.press("a")
    screen.shows("approved: claude")
    assert agents["shop"].keys() == b"1"
    assert agents["shed"].keys() == b""


@pytest.mark.tc("TC-039")
def test_a_card_whose_prompt_changed_approves_nothing(
    agents: dict[str, Actor], up: Daemon, new_tmux: Callable[[], Tmux], place: Place
) -> None:
    """The agent asks something else while the card is open."""
    screen = Screen(new_tmux(), place, 80, 24)
    screen.shows("make clean")
    screen.press("a")
    screen.shows("Approve?", "a ⏎ approve  d deny  1-3 choose  Esc close")
    agents["shop"].tell(ask="rm -rf everything")
    screen.shows("the prompt changed: nothing was done")
    screen.press("a", "Enter", "1")
    screen.press("Escape")
    until(lambda: "Approve" not in screen.text, what="the card is closed")
    assert agents["shop"].keys() == b""


@pytest.mark.tc("TC-305")
def test_a_daemon_that_goes_and_comes_back_is_told_and_followed(
    agents: dict[str, Actor], up: Daemon, new_tmux: Callable[[], Tmux], place: Place
) -> None:
    """Its rows stay meanwhile. What changed is shown when it is back, and keys work all the time."""
    screen = Screen(new_tmux(), place, 80, 24)
    screen.shows("make clean")
    up.kill9()
    screen.shows("lost the daemon", "approval  claude")
    screen.press("j", "k", "?")
    screen.shows("Keys: Enter runs")
    screen.press("Escape")
    agents["docs"].tell(run=False)
    up.start()
    until(lambda: "lost the daemon" not in screen.text, within=PATIENCE, what="it is found again")
    until(lambda: "● running" not in screen.text, within=PATIENCE, what="what changed is shown")
    screen.press("q")
    until(screen.ended, what="it ends")


@pytest.mark.tc("TC-310")
def test_enter_brings_the_client_to_the_agent(
    agents: dict[str, Actor], tmux: Tmux, place: Place, attach: Callable[..., Terminal]
) -> None:
    """In the same tmux server the client switches, and the dashboard stays where it was."""
    screen = Screen(tmux, place, 80, 24)
    screen.shows("make clean")
    attach(tmux, "dashboard", 100, 30)
    screen.press("Enter")
    until(lambda: tmux.run("list-clients", "-F", "#{session_name}") == "shop", within=PATIENCE, what="it switches")
    assert not screen.ended()


@pytest.mark.tc("TC-310")
def test_a_popup_closes_when_it_brought_the_client_to_the_agent(
    agents: dict[str, Actor], tmux: Tmux, place: Place, new_tmux: Callable[[], Tmux]
) -> None:
    """``display-popup`` with ``agtmux top --popup``: Enter switches the client below it, and the popup is gone."""
    tmux.env = dict(place.env)
    tmux.start(session="desk", cols=100, rows=30)
    client = Attached(tmux, new_tmux(), "desk", 100, 30)
    tmux.run("bind-key", "-n", "F5", "display-popup", "-E", "-w", "90%", "-h", "85%", f"exec {TOP} top --popup")
    client.press("F5")
    client.shows(lambda screen: "make clean" in screen, PATIENCE)
    client.press("Enter")
    until(lambda: tmux.run("list-clients", "-F", "#{session_name}") == "shop", within=PATIENCE, what="it switches")
    client.shows(lambda screen: "Do you want to proceed?" in screen and "agtmux  " not in screen, PATIENCE)


@pytest.mark.tc("TC-909")
def test_mail_leases_and_a_message_go_through_a_real_daemon(
    up: Daemon, actor: Make, place: Place, new_tmux: Callable[[], Tmux]
) -> None:
    """The panel lists what the command line made, and what is sent from a row is in the outbox."""
    agent = actor().start_in("new-session", "-s", "shop", "-x", "80", "-y", "24")
    agent.ready(up)
    for words in (
        ("name", agent.pane, "builder"),
        ("lease", "acquire", "--name", "staging-db"),
        ("msg", "send", "--to", "person", "-s", "port", "-m", "which port do you use?"),
    ):
        done = place.cli(*words)
        assert done.returncode == 0, done.stderr
    screen = Screen(new_tmux(), place, 80, 24)
    screen.shows("builder")
    screen.press("c")
    screen.shows("[1 Mail 1 unread]", "port: which port do you use?", "2 Leases 1")
    screen.press("2")
    screen.shows("staging-db", "exclusive", "person holds staging-db")
    screen.press("1", "Enter")
    screen.shows("note from person", "which port do you use?", "to people: read")
    screen.press("Escape")
    screen.shows("[1 Mail]", "r reply")
    screen.press("s")
    screen.shows("acknowledged: message")
    screen.press("Escape")
    screen.shows("builder", "q quit")
    screen.press("w")
    screen.shows("Message to builder (claude)")
    screen.press("use 8080", "Enter")
    screen.shows("use 8080", "w ⏎ send the message")
    screen.press("w")
    screen.shows("message sent to builder (claude)")
    items = place.json("outbox")["items"]
    assert [(one["preview"], one["deliveries"][0]["agent"]) for one in items[:1]] == [("use 8080", "builder")]
