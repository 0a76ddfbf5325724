"""Stand-in agents in containers of their own, made with ``unshare``: another space of process numbers."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache

from tests.acceptance.stage import PROGRAMS, Agent, Place
from tests.conftest import Tmux

UNSHARE = ["unshare", *([] if os.getuid() == 0 else ["--user", "--map-current-user"]), "--pid", "--fork"]
UNSHARE += ["--mount-proc", "--kill-child"]


@lru_cache(maxsize=1)
def missing() -> str | None:
    """Why there are no containers on this machine; None where they can be made."""
    if shutil.which("unshare") is None:
        return "there is no unshare"
    done = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    return f"namespaces may not be made here: {done.stderr.strip()}" if done.returncode else None


class Boxed(Agent):
    """A stand-in in a container. ``hidden``: below no process of its pane, as behind a container's client; else its
    process is there for all to see. ``declared``: by ``agtmux run --as`` this."""

    def __init__(
        self, tmux: Tmux, place: Place, name: str = "claude", *, hidden: bool = True, declared: str = "",
        seen: dict[str, str] | None = None, stays: bool = False,
    ) -> None:  # fmt: skip
        """``seen``: variables that the agent in the container has instead of those of its pane; empty ones not.

        ``stays``: the program in the pane outlives the agent that it hides.
        """
        super().__init__(tmux, place, name)
        unset = [f"--unset={key}" for key, value in (seen or {}).items() if not value]
        changed = [f"{key}={value}" for key, value in (seen or {}).items() if value]
        self.argv = [*UNSHARE, "env", *unset, *changed, *self.argv]
        if hidden:
            client = 'dtach -a "$0" -r none; exec sleep 600' if stays else 'exec dtach -a "$0" -r none'
            script = f'dtach -n "$0" -E "$@" && {client}'  # -n: no child of this pane's any more
            self.argv = ["sh", "-c", script, f"{self._socket}.dtach", *self.argv]
        if declared:
            self.argv = [str(PROGRAMS / "agtmux"), "run", "--as", declared, "--", *self.argv]

    def hook(self, event: str, **payload: object) -> None:
        """Call the real hook in a shell, as the command does that ``agtmux hooks install`` writes."""
        body = {"hook_event_name": event, "session_id": f"s-{self.pid}", **payload}
        self.run_inside(str(PROGRAMS / "agtmux"), "hook", self.name, **body)

    def run_inside(self, *argv: str, **payload: object) -> None:
        """Let the agent run a tool, in a shell, that gets the payload on its standard input.

        A hook has all the time it needs: the daemon does not know whose event from a container lies in the spool.
        """
        shell = ["sh", "-c", '"$@"; exit $?', "sh", *argv]
        result = self.tell(hook={"argv": shell, "payload": payload, "env": {"AGTMUX_HOOK_CAP_MS": "20000"}})
        assert result == {"status": 0, "out": ""}, result
