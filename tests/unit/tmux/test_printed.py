"""Names that one tmux version prints changed are restored."""

from __future__ import annotations

import pytest

from tests.unit.tmux.test_round import END, HEAD, N, _good, _row


@pytest.mark.tc("TC-106")
@pytest.mark.parametrize(
    ("version", "printed", "meant"),
    [
        ("3.4", r"\$HOME \${x} $1 \$ \$_ a\b", "$HOME ${x} $1 \\$ $_ a\\b"),
        ("3.5a", r"\$HOME $x", "\\$HOME $x"),
        ("3.3a", r"\$HOME", "\\$HOME"),
        ("3.8", r"\$HOME", "\\$HOME"),
    ],
)
def test_a_dollar_that_one_version_escapes_is_a_dollar(version: str, printed: str, meant: str) -> None:
    head = HEAD.replace("3.3a", version).replace("/tmp/a b", f"/tmp/{printed}/s")
    screen = "echo \\$HOME\n"
    found = _good(head + _row(name=printed, title=printed) + f"{N}l1\n{N}c1\n{screen}" + END)
    assert found.server is not None
    assert (found.server.socket_path, found.captures["%1"]) == (f"/tmp/{meant}/s", screen)
    assert (found.panes[0].session_name, found.panes[0].title) == (meant, meant)
