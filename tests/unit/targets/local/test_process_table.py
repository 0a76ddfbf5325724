"""The two formats of a process table."""

from __future__ import annotations

from agtmuxd.core.model import Proc
from agtmuxd.targets.local.process_table import parse_ps, parse_stat, pick_environ, split_argv

_STAT = b"4242 (%s) T 17 4242 17 34817 4250 4194304 " + b"0 " * 12 + b"987654 1 2 3\n"


def test_a_name_may_hold_anything() -> None:
    for name in (b"claude", b"a) R 1 (b", b"", b"tmux: server", b"x\ny"):
        proc = parse_stat(_STAT % name)
        assert proc == Proc(4242, 17, 4242, 4250, 34817, "T", "987654", name.decode())


def test_kernel_threads_and_scraps_are_no_processes() -> None:
    assert parse_stat(_STAT.replace(b"4194304", b"2129984") % b"kthreadd") is None
    for scrap in (b"", b"12 (x", b"12 (x) S 1 2", b"y (x) S 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8"):
        assert parse_stat(scrap) is None


def test_a_line_of_ps_is_a_process() -> None:
    text = """\
    1     0     1      0 ??       Ss   Thu Nov 20 09:00:00 2025     /sbin/launchd
  501   400   501    510 ttys003  S+   Fri Nov  7 23:35:01 2025     node /opt/homebrew/bin/gemini --model x
  510   501   501    510 ttys003  T    Fri Nov  7 23:35:02 2025     -zsh
  bad line
  511   510   501     -1 ?        Z    Fri Nov  7 23:35:03 2025
"""
    launchd, node, shell, ended = parse_ps(text)
    assert (launchd.pid, launchd.tty, launchd.tpgid, launchd.comm) == (1, 0, -1, "launchd")
    assert (node.pid, node.ppid, node.pgid, node.tpgid, node.state) == (501, 400, 501, 510, "S")
    assert (node.start, node.comm) == ("Fri Nov 7 23:35:01 2025", "node")
    assert node.argv == ("node", "/opt/homebrew/bin/gemini", "--model", "x")
    assert (shell.comm, shell.state, shell.tty) == ("zsh", "T", node.tty)
    assert (ended.state, ended.argv, ended.comm, ended.tty) == ("Z", (), "", 0)


def test_argv_and_environment_are_split_at_nul() -> None:
    assert split_argv(b"node\0/bin/x y\0\0") == ("node", "/bin/x y")
    assert split_argv(b"") == ()
    assert pick_environ(b"A=1\0B=x=y\0C\0D=4\0", ["B", "C", "E"]) == {"B": "x=y"}
