"""A person's own rules, before a real daemon: an agent by a file alone, taken in as it is written; screens replayed."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Daemon, Place, Watch
from tests.conftest import Tmux, until
from tests.corpus import recording

TOY = """
format = 1
agent = "toy"
recorded_on = ["1"]
[process]
names = ["toycli"]
[[rule]]
name = "asks"
priority = 2
claim = "waiting_input"
all = [{ contains = "Which way?" }]
waiting = { kind = "question", text_regex = '(Which[^\\n]*)' }
sample = { screen = "asks.txt" }
"""
CALM = """
[[rule]]
name = "calm"
priority = 3
claim = "running"
all = [{ contains = "Which way?" }]
sample = { screen = "asks.txt" }
"""


@pytest.mark.tc("TC-046")
def test_an_agent_of_a_rules_file_is_watched_and_a_reload_changes_its_rules(
    place: Place, daemon: Daemon, tmux: Tmux
) -> None:
    rules = place.root / "rules"
    rules.mkdir()
    (rules / "asks.txt").write_text("Which way?\n")
    program = place.root / "toycli"
    program.write_text("import time\nprint('Which way?', flush=True)\ntime.sleep(600)\n")
    daemon.start()
    pane = tmux.run("new-session", "-d", "-P", "-F", "#{pane_id}", shlex.join([sys.executable, str(program)])).strip()
    (rules / "toy.toml").write_text(TOY)
    assert place.cli("daemon", "reload").returncode == 0
    item = daemon.wait_for(pane, "waiting_input")
    assert (item["agent_type"], item["waiting_for"]["text"]) == ("toy", "Which way?")
    (rules / "toy.toml").write_text(TOY + CALM)
    assert place.cli("daemon", "reload").returncode == 0
    assert daemon.wait_for(pane, "running")["runtime_id"] == item["runtime_id"]
    (rules / "toy.toml").write_text("format = 9")
    refused = place.cli("daemon", "reload")
    assert refused.returncode == 2
    assert "toy.toml" in refused.stderr
    assert daemon.wait_for(pane, "running")["runtime_id"] == item["runtime_id"]


@pytest.mark.tc("TC-046")
def test_a_rules_file_that_is_written_changed_broken_or_taken_away_counts_by_itself(
    place: Place, daemon: Daemon, tmux: Tmux
) -> None:
    rules = place.root / "rules"
    program = place.root / "toycli"
    program.write_text("import time\nprint('Which way?', flush=True)\ntime.sleep(600)\n")
    daemon.start()
    pane = tmux.run("new-session", "-d", "-P", "-F", "#{pane_id}", shlex.join([sys.executable, str(program)])).strip()
    watch = Watch(place)
    rules.mkdir()
    (rules / "asks.txt").write_text("Which way?\n")
    (rules / "toy.toml").write_text(TOY)
    item = daemon.wait_for(pane, "waiting_input")
    none = place.cli("hooks", "install", "--agent", "toy", "--dry-run")
    assert (none.returncode, "agtmux knows no hooks for toy" in none.stderr) == (0, True)
    target = daemon.health()["targets"][0]
    (rules / "toy.toml").write_text(TOY + CALM)
    assert daemon.wait_for(pane, "running")["runtime_id"] == item["runtime_id"]
    (rules / "toy.toml").write_text(TOY + CALM.replace("contains", "contans"))
    until(lambda: daemon.health()["last_errors"], within=PATIENCE, what="what is wrong is told")
    output = place.cli("daemon", "status").stdout
    assert f"rules not loaded: {rules}/toy.toml, line 19: rule calm" in output
    assert "contans" in output
    checked = place.cli("rules", "check")
    assert (checked.returncode, f"{rules}/toy.toml, line 19" in checked.stdout) == (1, True)
    assert daemon.wait_for(pane, "running")["runtime_id"] == item["runtime_id"], "the last good rules"
    (rules / "toy.toml").write_text(TOY)
    assert daemon.wait_for(pane, "waiting_input")["runtime_id"] == item["runtime_id"]
    until(lambda: not daemon.health()["last_errors"], within=PATIENCE, what="nothing is wrong any more")
    after = daemon.health()["targets"][0]
    assert all(after[key] == target[key] for key in ("target_id", "health", "health_since")), "no target is touched"
    (rules / "toy.toml").unlink()
    watch.until(lambda line: any(change["op"] == "delete" for change in line.get("changes", ())))
    watch.close()
    assert not [line for line in watch.lines if line["type"] == "reset"]
    items = [change["item"] for line in watch.lines for change in line.get("changes", ()) if "item" in change]
    states = [item["state"] for item in items if item["state"] is not None]
    shown = [state for n, state in enumerate(states) if n == 0 or states[n - 1] != state]
    assert shown == ["waiting_input", "running", "waiting_input"], "never unknown in between, and no crash at the end"


SLOW = """
[[rule]]
name = "endless"
priority = 9
claim = "running"
strength = "hint"
any = [{ row = '^(a+)+$' }]
"""


@pytest.mark.tc("TC-046")
def test_a_rule_that_would_never_come_to_an_end_is_put_aside_and_named(
    place: Place, daemon: Daemon, tmux: Tmux
) -> None:
    rules = place.root / "rules"
    rules.mkdir()
    (rules / "asks.txt").write_text(f"Which way?\n{'a' * 60}b\n")
    (rules / "toy.toml").write_text(TOY + SLOW)
    program = place.root / "toycli"
    program.write_text(f"import time\nprint('Which way?', '{'a' * 60}b', sep=chr(10), flush=True)\ntime.sleep(600)\n")
    daemon.start()
    pane = tmux.run("new-session", "-d", "-P", "-F", "#{pane_id}", shlex.join([sys.executable, str(program)])).strip()
    daemon.wait_agent(pane)

    def output() -> str:
        return place.cli("daemon", "status").stdout

    until(
        lambda: "rule endless takes too long" in output() and "not used until" in output(),
        within=40,
        what="it is named",
    )
    shipped = place.cli("rules", "check", "--agent", "claude")
    assert (shipped.returncode, "use --corpus FOLDER to check them" in shipped.stderr) == (0, True)
    assert "come only with agtmux's source, in tests/corpus" in shipped.stderr
    assert "skipped: their recordings are not installed" in shipped.stdout
    assert "0 hold" not in shipped.stdout
    checked = place.cli("rules", "check", "--agent", "toy")
    assert (checked.returncode, "takes too long" in checked.stdout) == (1, True)
    replayed = place.cli("explain", "--file", str(rules / "asks.txt"), "--agent", "toy")
    assert replayed.returncode == 2
    assert "rule endless of toy takes too long on this screen" in replayed.stderr
    (rules / "toy.toml").write_text(TOY)
    assert place.cli("daemon", "reload").returncode == 0
    daemon.wait_for(pane, "waiting_input")


def test_rules_are_checked_and_a_captured_screen_is_explained(place: Place, daemon: Daemon, tmp_path: Path) -> None:
    daemon.start()
    rules = place.root / "rules"
    rules.mkdir()
    checked = place.cli("rules", "check", "--corpus", str(recording.ROOT))
    assert checked.returncode == 0, checked.stdout
    assert "claude: " in checked.stdout
    assert (checked.stderr, "not tried" in checked.stdout) == ("", False)
    bare = place.cli("rules", "check")
    assert (bare.returncode, "samples beside your own rules" in bare.stderr) == (0, False)
    (rules / "asks.txt").write_text("Which way?\n")
    (rules / "toy.toml").write_text(TOY)
    mine = place.cli("rules", "check")
    assert (mine.returncode, "samples beside your own rules: 1 checked" in mine.stderr) == (0, True)
    assert f"toy: 1 rules of {rules}/toy.toml, 1 hold, 0 do not" in mine.stdout
    (rules / "claude.toml").write_text("format = 9")
    wrong = place.cli("rules", "check")
    assert (wrong.returncode, "claude.toml" in wrong.stdout) == (1, True)
    sample = recording.load("codex/e-exec-approval")
    label = next(x for x in sample.labels if x.state == "waiting_approval")
    screen = tmp_path / "screen.txt"
    screen.write_text("\n".join(sample.sample_at(label.start + 1000).lines))
    output = place.cli("explain", "--file", str(screen), "--agent", "codex")
    assert "waiting_approval, by " in output.stdout
    assert "Rules that match" in output.stdout
    body = place.json("explain", "--file", str(screen), "--agent", "codex")
    assert body["waiting_for"]["kind"] == "approval"
    assert "Rules that do not match" in place.cli("explain", "--all", "--file", str(screen), "--agent", "codex").stdout
    endless = place.cli("explain", "--file", "/dev/zero", "--agent", "codex")
    assert (endless.returncode, "longer than 256 KiB" in endless.stderr) == (2, True)
    assert place.cli("explain", "--file", str(screen)).returncode == 2
    assert place.cli("explain").returncode == 2


DIM = """
format = 1
agent = "toy"
recorded_on = ["1"]
[process]
names = ["toycli"]
[[rule]]
name = "rests"
claim = "idle"
all = [{ row = '^> (.+)', style = "dim" }]
sample = { screen = "rests.txt" }
"""


def test_a_pane_captured_with_its_colours_is_explained_and_proves_a_rule_at_any_size(
    place: Place, daemon: Daemon, tmux: Tmux
) -> None:
    daemon.start()
    rules = place.root / "rules"
    rules.mkdir()
    (rules / "toy.toml").write_text(DIM)
    program = ["sh", "-c", "printf '> \\033[2mtype here\\033[0m\\n'; exec sleep 600"]
    for n, (cols, rows) in enumerate(((120, 40), (40, 10))):
        pane = tmux.start(*program, session=f"s{n}", cols=cols, rows=rows)
        until(lambda pane=pane: "type here" in tmux.run("capture-pane", "-p", "-t", pane), what="it is drawn")  # type: ignore[misc]
        for how, claim in ((["-e"], "idle"), ([], None)):
            screen = tmux.run("capture-pane", *how, "-p", "-t", pane)
            output = subprocess.run(
                [str(PROGRAMS / "agtmux"), "explain", "--file", "-", "--agent", "toy", "--json"], input=screen,
                env=place.env, capture_output=True, text=True, timeout=PATIENCE, check=True,
            )  # fmt: skip
            body = json.loads(output.stdout)
            assert body["claim"] == claim
            assert claim or "capture-pane -e -p" in body["missed"][0]["why"]
            (rules / "rests.txt").write_text(screen)
            assert place.cli("rules", "check", "--agent", "toy").returncode == (0 if claim else 1)
