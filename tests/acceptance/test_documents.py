"""The commands that README, reference and runbooks show do what they say, on a machine with one agent.

Those of the guides are run by ``test_howto.py``, each in the world of its page.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable

import pytest

from tests.acceptance.stage import Agent, Daemon, Place
from tests.test_docs import blocks

ENDS_THE_DAEMON = ("agtmux daemon stop", "agtmux daemon restart")
ACTS = frozenset(
    ["attach", "send", "view-output", "kill", "approve", "deny", "answer", "interrupt", "prompt", "wait", "ack", "run"]
)
"""What these do to an agent has tests of its own; here the one agent is to live. That they parse is held elsewhere."""
ELSEWHERE = (
    ["daemon", "install"], ["daemon", "uninstall"], ["doctor"], ["man"], ["menubar"], ["pick"], ["top"],
    ["notify", "test"], ["tmux", "load"], ["web", "link", "--qr"], ["web", "revoke"],
    ["conflict"], ["guard"], ["worktree"], ["install-skill"], ["policy"], ["inbox", "show"], ["msg", "reply"],
    ["msg", "status"], ["signal", "read"],
)  # fmt: skip
"""What these write into a home folder or a repository, or need a channel, a terminal, a phone, rules or earlier
messages for, has tests of its own too."""
AWAY = "build"
"""The target behind ssh of the runbooks: there is no such machine here."""
NO_SUCH_MACHINE = 6
NOTES_WHAT_IT_LEFT_OUT = ["rules", "check"]
"""The recordings of the shipped rules come with the source only; outside it this command says so on stderr."""
THEIRS = "toy"
"""The adapter that docs/adapters/README.md lets its reader write."""
PANES = ("%12", "%5")


def shown(cursor: str, pane: str) -> list[list[str]]:
    """Every ``agtmux`` call of the documents, as arguments; endless ones are made to end."""
    out: list[list[str]] = []
    for _, line in blocks():
        if not line.startswith("agtmux ") or line.startswith(ENDS_THE_DAEMON):
            continue
        for one in PANES:
            line = line.replace(one, pane)
        words = shlex.split(line.replace("$CURSOR", cursor), comments=True)[1:]
        if words[0] in ACTS or THEIRS in words or (words[0] != "target" and AWAY in words):
            continue
        words = words[: words.index("|")] if "|" in words else words
        if any(words[: len(some)] == some for some in ELSEWHERE):
            continue
        if "--watch" in words:
            continue  # endless
        if words[0] == "watch":
            words.append("--once")
        if words[:2] == ["target", "remove"] and "--yes" not in words:
            words.append("--yes")  # nobody is there to ask
        if words not in out:
            out.append(words)
    return out


@pytest.mark.tc("TC-112")
def test_every_command_that_the_documents_show_works(place: Place, daemon: Daemon, agent: Callable[..., Agent]) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    cursor = place.cli("watch", "--once", "--json").stdout.split('"cursor":"')[1].split('"')[0]
    calls = shown(cursor, one.pane)
    assert ["hooks", "install"] in calls
    assert ["explain", "claude"] in calls
    (place.state / "agtmuxd.log").write_text("a line\n")  # this daemon runs in the foreground
    folder = place.home / "repository"  # never the checkout: some commands are about the folder in which they run
    subprocess.run(["git", "init", "-q", str(folder)], env=place.env, check=True)
    failed = []
    for words in calls:
        done = place.cli(*words, folder=folder)
        away = words == ["target", "connect", AWAY]
        if done.returncode != (NO_SUCH_MACHINE if away else 0) or (done.stderr and words[:2] != NOTES_WHAT_IT_LEFT_OUT):
            failed.append((words, done.returncode, done.stderr))
    assert failed == [], "\n".join(map(str, failed))
    assert not (place.home / ".claude" / "settings.json").exists()  # installed and taken out again
