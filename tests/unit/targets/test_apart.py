"""Events from containers: whose they are by what this machine sees, and who is in one."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import Ancestor, RawEvent, Signal, Source
from agtmuxd.core.state.binding import Binding, Candidate, bind
from agtmuxd.core.state.event_sender import find_sender
from agtmuxd.targets.apart import chain_of, in_other_pid_space, is_alive
from tests.acceptance.boxes import UNSHARE, missing

KNOWN = discover([])
T0 = 1_000_000_000_000_000
NONE = Binding(None, "bind_no_candidate")
SH = Ancestor(702, "s702", ("sh", "-c", "agtmux hook claude"), "sh", 702)
CLAUDE = Ancestor(701, "s701", ("claude",), "claude", 701)
SHIM = Ancestor(700, "s700", ("/usr/bin/containerd-shim-runc-v2", "-namespace"), "containerd-shim", 700)
CLIENT = Candidate("r1", "t1", "%1", "claude", None, 50, "s50", T0, declared=True)
EVENT = RawEvent(
    "e", "Stop", Source.HOOK, "claude", T0, T0, "k", pane_id="%1", chain=(SH, CLAUDE, SHIM), tmux_server_pid=900,
    apart=True,
)  # fmt: skip


def bound(event: RawEvent, *candidates: Candidate, target: str | None = "t1") -> Binding:
    return bind(event, Signal("turn_end"), target, candidates, find_sender(event, KNOWN.kind_of))


@pytest.mark.tc("TC-218")
def test_the_pane_that_it_names_has_a_container_agent_where_its_user_named_one() -> None:
    assert bound(EVENT, CLIENT, replace(CLIENT, runtime_id="r2", pane_id="%2")) == Binding("r1", None)


@pytest.mark.tc("TC-218")
def test_a_process_that_is_seen_from_outside_needs_neither_pane_nor_word() -> None:
    seen = replace(CLIENT, pid=701, process_start="s701", declared=False)
    assert bound(replace(EVENT, pane_id=None), seen, target=None) == Binding("r1", None)


@pytest.mark.tc("TC-219")
@pytest.mark.parametrize(
    ("event", "one", "target"),
    [
        (EVENT, replace(CLIENT, declared=False), "t1"),
        (EVENT, CLIENT, None),
        (EVENT, CLIENT, "t2"),
        (EVENT, replace(CLIENT, agent_type="codex"), "t1"),
        (replace(EVENT, pane_id=None), CLIENT, "t1"),
        (replace(EVENT, pane_id="%2"), CLIENT, "t1"),
        (replace(EVENT, chain=()), CLIENT, "t1"),  # the kernel has no number for it: nobody knows what sent it
        (replace(EVENT, chain=(SH, SHIM)), CLIENT, "t1"),
        (replace(EVENT, chain=(SH, replace(CLAUDE, argv=("codex",), comm="codex"), SHIM)), CLIENT, "t1"),
        (replace(EVENT, chain=(SH, replace(CLAUDE, argv=("claude", "-p")), SHIM)), CLIENT, "t1"),
        (replace(EVENT, chain=(SH, CLAUDE, replace(SH, pid=690), replace(CLAUDE, pid=680), SHIM)), CLIENT, "t1"),
        (replace(EVENT, source=Source.WRAPPER), CLIENT, "t1"),
    ],
    ids=[
        "nobody named an agent", "no pane of a known server", "another server", "another agent was named", "no pane",
        "another pane", "nothing is seen", "no agent above it", "the agent above it is another", "headless", "nested",
        "a wrapper",
    ],
)  # fmt: skip
def test_one_thing_that_is_missing_leaves_it_unbound(event: RawEvent, one: Candidate, target: str | None) -> None:
    assert bound(event, one, target=target) == NONE


@pytest.mark.tc("TC-219")
def test_an_agent_below_the_wrapper_in_its_pane_waits_until_it_is_listed_itself() -> None:
    """The wrapper gives way to it with the next round: what was folded into the wrapper would be gone."""
    wrapper = Ancestor(50, "s50", ("python3", "/x/agtmux", "run", "--as"), "agtmux", 50)
    result = replace(EVENT, chain=(SH, CLAUDE, wrapper))
    assert bound(result, CLIENT) == NONE
    assert bound(result, replace(CLIENT, pid=701, process_start="s701", declared=False)) == Binding("r1", None)


@pytest.mark.tc("TC-218")
def test_who_numbers_processes_as_we_do_is_not_apart(tmp_path: Path) -> None:
    """Also where the link is not ours to read, by the numbers that everybody may read; and on other systems."""
    assert not in_other_pid_space(os.getpid())
    assert not in_other_pid_space(os.getppid())
    assert not in_other_pid_space(5, str(tmp_path))
    (tmp_path / "self" / "ns").mkdir(parents=True)
    (tmp_path / "self" / "ns" / "pid").symlink_to("pid:[4026531836]")
    for pid, numbers in ((5, "5"), (6, "6\t1"), (7, "7\t9\t1")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(f"Name:\tx\nNStgid:\t1\nNSpid:\t{numbers}\nNSpgid:\t1\t1\n")
    assert [in_other_pid_space(pid, str(tmp_path)) for pid in (None, 4, 5, 6, 7)] == [True, False, False, True, True]


@pytest.mark.tc("TC-218")
@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_process_in_a_container_is_apart_and_its_chain_leads_out_of_it() -> None:
    script = "sh -c 'echo $$; read x; exit 0'; exit 0"
    with subprocess.Popen([*UNSHARE, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        inside = int(process.stdout.readline())
        assert inside < 10, "it counts from 1"
        above = [process.pid]
        while (more := Path(f"/proc/{above[-1]}/task/{above[-1]}/children").read_text().split()) != []:
            above.append(int(more[0]))
        assert in_other_pid_space(above[-1])
        chain = chain_of(above[-1])
        assert [link["pid"] for link in chain][: len(above)] == above[::-1]
        assert chain[0]["comm"] == "sh" and chain[0]["argv"][:2] == ["sh", "-c"]
        assert os.getpid() in [link["pid"] for link in chain]
        link = Ancestor(above[-1], str(chain[0]["start"]))
        assert is_alive(link)
        process.stdin.write(b"\n")
        process.stdin.close()
        process.wait(20)
    assert not is_alive(link)
    assert chain_of(None) == []
