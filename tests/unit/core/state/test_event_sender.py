"""Which agent sent an event: the nearest process of the hook's chain that is one, and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import Ancestor, RawEvent, Signal, Source
from agtmuxd.core.state.binding import Binding, Candidate, bind, is_nested
from agtmuxd.core.state.event_sender import find_sender

pytestmark = pytest.mark.tc("TC-140")

T0 = 1_000_000_000_000_000
SERVER = 900
KNOWN = discover([])


def link(pid: int, *argv: str, comm: str | None = None, pgid: int | None = None) -> Ancestor:
    """One process; in a group of its own where none is told."""
    name = (argv[0].rpartition("/")[2] if argv else "?") if comm is None else comm
    return Ancestor(pid, f"s{pid}", argv, name[:15], pid if pgid is None else pgid)


def plain(one: Ancestor) -> Ancestor:
    """The same as an older hook program tells it."""
    return Ancestor(one.pid, one.start, one.argv[:2])


SH = link(50, "/bin/sh", "-c", "/opt/agtmux hook claude 2>/dev/null || true")
ZSH = link(30, "/usr/bin/zsh", "-c", "./tool.sh")
SHELL = link(10, "-bash", comm="bash")
TMUX = link(SERVER, "tmux", "new-session", comm="tmux: server")
CLAUDE = link(20, "claude")
NODE_CODEX = link(20, "node", "/usr/lib/node_modules/@openai/codex/bin/codex.js", comm="node", pgid=20)
CODEX = link(21, "/x/codex-linux/codex", comm="codex", pgid=20)
GEMINI = link(20, "node", "--no-warnings=DEP0040", "/usr/bin/gemini", comm="node", pgid=20)
GEMINI_IN = link(21, "/usr/bin/node", "--no-warnings=DEP0040", "/usr/bin/gemini", comm="node", pgid=20)
COPILOT = link(20, "copilot", comm="MainThread")
OPENCODE = link(20, "opencode", comm="opencode")


def event(kind: str, *chain: Ancestor, **more: object) -> RawEvent:
    made = RawEvent(
        "e", "Stop", Source.HOOK, kind, T0, T0, "k", pane_id="%1", chain=(*chain, SHELL, TMUX), tmux_server_pid=SERVER
    )
    return replace(made, **more)  # type: ignore[arg-type]


def outer(one: Ancestor, kind: str, *, headless: bool = False) -> Candidate:
    return Candidate("outer", "t1", "%1", kind, None, one.pid, one.start, T0, headless)


def bound(
    event: RawEvent, *candidates: Candidate, signal: Signal | None = None, target: str | None = "t1"
) -> str | None:
    sender = find_sender(event, KNOWN.kind_of)
    return bind(event, signal or Signal("turn_end"), target, candidates, sender).runtime_id


INNER = {
    "claude -p": ("claude", CLAUDE, (link(40, "claude", "-p", "hi"),)),
    "claude, its prompt first": ("claude", CLAUDE, (link(40, "claude", "hi", "--print"),)),
    "claude by its version": (
        "claude", CLAUDE, (link(40, "/h/.local/share/claude/versions/2.1.330", "-p", comm="2.1.330"),),
    ),
    "claude by npm": ("claude", CLAUDE, (link(40, "node", "/m/@anthropic-ai/claude-code/cli.js", "-p", comm="node"),)),
    "claude by node with flags": (
        "claude", CLAUDE, (link(40, "node", "--max-old-space-size=4096", "/m/@anthropic-ai/claude-code/cli.js"),),
    ),
    "claude of the SDK": (
        "claude", CLAUDE,
        (link(40, "node", "/m/@anthropic-ai/claude-agent-sdk/cli.js", comm="node"), link(39, "node", "my-app.js")),
    ),
    "claude as a server of tools": ("claude", CLAUDE, (link(40, "claude", "mcp", "serve"),)),
    "claude in a wrapper": (
        "claude", CLAUDE, (link(40, "claude", "-p"), link(39, "timeout", "60", "claude"), link(38, "uv", "run", "x")),
    ),
    "claude in a terminal of script": (
        "claude", CLAUDE, (link(40, "claude"), link(39, "script", "-qc", "claude", "/dev/null")),
    ),
    "codex exec": (
        "codex", CODEX,
        (link(41, "/x/codex-linux/codex", "exec", comm="codex", pgid=40),
         link(40, "node", "/usr/bin/codex", "exec", comm="node", pgid=40)),
    ),
    "codex as a server of tools": ("codex", CODEX, (link(41, "/x/codex-linux/codex", "mcp-server", comm="codex"),)),
    "gemini -p": (
        "gemini", GEMINI,
        (link(41, "/usr/bin/node", "--no-warnings=DEP0040", "/usr/bin/gemini", "-p", comm="node", pgid=40),
         link(40, "node", "/usr/bin/gemini", "-p", comm="node", pgid=40)),
    ),
    "copilot -p": ("copilot", COPILOT, (link(40, "copilot", "-p", comm="MainThread"),)),
    "opencode run": ("opencode", OPENCODE, (link(40, "opencode", "run", comm="opencode"),)),
}  # fmt: skip

OUTERS = {
    "claude": (CLAUDE,), "codex": (CODEX, NODE_CODEX), "gemini": (GEMINI_IN, GEMINI), "copilot": (COPILOT,),
    "opencode": (OPENCODE,),
}  # fmt: skip


def expect_apart(kind: str, mine: Ancestor, *chain: Ancestor) -> None:
    result = event(kind, *chain)
    assert bound(result, outer(mine, kind)) is None
    assert bound(replace(result, pid=mine.pid), outer(mine, kind)) is None, "an inherited variable names no sender"
    assert bound(result, outer(mine, kind), target=None) is None


@pytest.mark.parametrize("name", INNER)
def test_what_an_inner_agent_reports_is_not_the_outer_ones(name: str) -> None:
    """However it was started, and whatever stands between, be it only a shell or nothing."""
    kind, mine, inner = INNER[name]
    expect_apart(kind, mine, SH, *inner, ZSH, *OUTERS[kind])
    expect_apart(kind, mine, SH, *inner, *OUTERS[kind])


@pytest.mark.parametrize("name", [name for name in INNER if "gemini" not in name and "flags" not in name])
def test_an_older_hook_tells_inner_agents_apart_too(name: str) -> None:
    """It sends two words of each command line, and neither names nor process groups."""
    kind, mine, inner = INNER[name]
    expect_apart(kind, mine, *(plain(one) for one in (SH, *inner, ZSH, *OUTERS[kind])))


@pytest.mark.parametrize("kind", OUTERS)
def test_the_agents_own_reports_are_its_own(kind: str) -> None:
    """Also where a shim started its program, and with a wrapper above it."""
    above = (link(15, "timeout", "60", kind), link(14, "npx", kind), link(13, "sh", "-c", kind))
    mine = {"codex": CODEX, "gemini": GEMINI}.get(kind, OUTERS[kind][0])
    assert bound(event(kind, SH, *OUTERS[kind], *above), outer(mine, kind)) == "outer"
    assert bound(event(kind, *OUTERS[kind]), outer(mine, kind)) == "outer"
    older = [plain(one) for one in (SH, *OUTERS[kind])]
    assert bound(event(kind, *older), outer(mine, kind)) == "outer"


def test_a_session_that_nobody_looks_at_is_never_one_with_a_screen() -> None:
    """Where no process is told, the agent's own word that it runs without a screen counts."""
    result = event("claude", chain=())
    headless = Signal("turn_end", headless=True)
    assert bound(result, outer(CLAUDE, "claude")) == "outer"
    assert bound(result, outer(CLAUDE, "claude"), signal=headless) is None
    assert bound(result, outer(CLAUDE, "claude", headless=True), signal=headless) == "outer"


def test_a_sender_that_has_ended_is_told_apart_by_its_session() -> None:
    """Who ends while its last report is on the way leaves no process to tell, and the pane is that of the outer one."""
    result = replace(event("gemini"), chain=())
    mine = replace(outer(GEMINI, "gemini"), agent_session_id="mine", process_start="4711")
    assert bound(result, mine, signal=Signal("turn_end", session_id="another")) is None
    assert bound(result, mine, signal=Signal("turn_end", session_id="mine")) == "outer"
    assert (
        bound(result, replace(mine, agent_session_id=None), signal=Signal("turn_end", session_id="another")) == "outer"
    )
    counted = replace(mine, process_start="Mon Nov 30 09:00:00 2026")  # a machine whose hooks may tell of no process
    assert bound(result, counted, signal=Signal("turn_end", session_id="another")) == "outer"


def test_a_codex_that_codex_runs_does_not_speak_for_the_thread_it_resumes() -> None:
    """Its tools are run by the server that all terminals share: the nearest Codex counts, not the server."""
    server = link(25, "/x/codex", "app-server", "--listen", "unix://", comm="codex")
    inner = link(41, "/x/codex-linux/codex", "exec", "resume", comm="codex")
    chain = (SH, inner, ZSH, server, CODEX, NODE_CODEX)
    payload = {"hook_event_name": "Stop", "session_id": "thread-1"}
    mine = replace(outer(CODEX, "codex"), agent_session_id="thread-1")
    for links in (chain, tuple(plain(one) for one in chain)):
        result = event("codex", *links, payload=payload)
        signal = KNOWN.normalise(result, {})
        assert not signal.ambient
        assert bound(result, mine, signal=signal) is None
    result = event("codex", SH, server, CODEX, NODE_CODEX, payload=payload)
    assert KNOWN.normalise(result, {}).ambient
    assert bound(result, mine, signal=KNOWN.normalise(result, {})) == "outer"


def test_an_agent_in_an_inner_tmux_is_not_in_the_pane_around_it() -> None:
    """Its server may have been started by the outer agent and stand in its chain."""
    server = link(700, "tmux", "-L", "in", "-D", comm="tmux: server")
    inner = event("claude", SH, link(710, "some-unknown-launcher"), server, ZSH, CLAUDE, tmux_server_pid=700)
    assert bound(inner, outer(CLAUDE, "claude"), target=None) is None
    lost = replace(inner, tmux_server_pid=None)  # its TMUX was taken away
    assert bound(lost, outer(CLAUDE, "claude")) is None


def test_a_wrapped_program_below_another_reports_of_itself() -> None:
    """``agtmux run`` in a shell that ``agtmux run`` started ends only itself."""
    run = link(20, "python3", "/opt/agtmux", "run", "bash")
    within = link(40, "python3", "/opt/agtmux", "run", "make")
    result = event("generic", within, ZSH, run, source=Source.WRAPPER, pid=40)
    assert bound(result, outer(run, "generic")) is None
    assert bound(event("generic", run, source=Source.WRAPPER, pid=20), outer(run, "generic")) == "outer"


@pytest.mark.parametrize("name", INNER)
def test_an_inner_agent_is_known_at_once_to_be_nobodys_pane(name: str) -> None:
    """So its reports bring no rounds, and do not wait for a pane."""
    kind, mine, inner = INNER[name]
    sender = find_sender(event(kind, SH, *inner, ZSH, *OUTERS[kind]), KNOWN.kind_of)
    assert is_nested(sender, KNOWN.kind_of, "t1", [outer(mine, kind)])
    assert is_nested(sender, KNOWN.kind_of, None, [outer(mine, kind)])
    assert not is_nested(sender, KNOWN.kind_of, "t2", [outer(mine, kind)]), "it is on another machine"


def test_an_agent_that_was_just_started_may_still_become_the_panes() -> None:
    """In a shell, or wrapped by ``agtmux run``, which gives way to it."""
    fresh = find_sender(event("claude", SH, CLAUDE), KNOWN.kind_of)
    assert not is_nested(fresh, KNOWN.kind_of, "t1", [outer(link(99, "claude"), "claude")])
    run = link(15, "python3", "/opt/agtmux", "run", "bash")
    wrapped = find_sender(event("claude", SH, CLAUDE, run), KNOWN.kind_of)
    assert not is_nested(wrapped, KNOWN.kind_of, "t1", [outer(run, "generic")])


def test_a_script_of_the_users_between_agent_and_hook_is_no_agent() -> None:
    """A notify program of one's own may pass on what it was told."""
    mine = link(45, "/usr/bin/python3", "/h/bin/claude-notify.py")
    assert bound(event("claude", SH, mine, CLAUDE), outer(CLAUDE, "claude")) == "outer"
    editor = link(45, "vim", "claude")
    assert bound(event("claude", SH, editor, CLAUDE), outer(CLAUDE, "claude")) == "outer"


def test_two_agents_in_one_chain_bind_each_to_its_own() -> None:
    """Where the inner one has a runtime of its own, it gets its own reports."""
    inner = link(40, "claude")
    result = event("claude", SH, inner, ZSH, CLAUDE)
    own = replace(outer(inner, "claude"), runtime_id="inner", pane_id="%1")
    sender = find_sender(result, KNOWN.kind_of)
    assert bind(result, Signal("turn_end"), "t1", (outer(CLAUDE, "claude"), own), sender) == Binding("inner", None)


@pytest.mark.parametrize("name", INNER)
def test_a_chain_without_start_times_tells_inner_agents_apart_too(name: str) -> None:
    """As ps tells it on a system without ``/proc``: neither names of programs nor starts."""
    kind, mine, inner = INNER[name]
    chain = [Ancestor(one.pid, "", one.argv, "", one.pgid) for one in (SH, *inner, ZSH, *OUTERS[kind])]
    expect_apart(kind, mine, *chain)
    own = [Ancestor(one.pid, "", one.argv, "", one.pgid) for one in (SH, *OUTERS[kind])]
    assert bound(event(kind, *own), outer(mine, kind)) == "outer"
    sender = find_sender(event(kind, *chain), KNOWN.kind_of)
    assert is_nested(sender, KNOWN.kind_of, "t1", [outer(mine, kind)])
