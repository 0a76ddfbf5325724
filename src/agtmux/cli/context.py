"""Give every command the global options, the client, and messages on stderr.

Owns the decision to start a daemon. Knows no command.
"""

from __future__ import annotations

import os
import sys

import click

from agtmux.client import Client, is_older
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

FIRST_LOOK = 1.5
"""Seconds that a command which started the daemon waits for its first round."""


class App:
    """The global options of one invocation. ``color``: auto, always or never."""

    def __init__(self) -> None:
        self.color = "auto"
        self.quiet = False
        self.autostart = True

    def client(self, *, autostart: bool = True, timeout: float = 10.0) -> Client:
        """Return a client that starts the daemon if none answers, unless the caller, a flag, the environment or the
        config forbids it.
        """
        return Client(start=self._start if autostart else None, on_version=self._check_version, timeout=timeout)

    def say(self, text: str) -> None:
        """Print one line on stderr, unless ``--quiet``."""
        if not self.quiet:
            click.echo(f"agtmux: {text}", err=True)

    def styled(self, stream: IO[str] | None = None) -> bool:
        """Return whether to format for a person: on a terminal, or if colour is requested."""
        return self.color == "always" or (stream or sys.stdout).isatty()

    def _start(self) -> None:
        why = self._why_not()
        if why:
            where = paths.socket_path()
            raise AgtmuxError(
                "E_DAEMON_UNREACHABLE",
                f"no daemon answers at {where}, and {why}: run agtmux daemon start",
                {"socket": where},
            )
        from agtmux.service import find

        service = find.installed()
        if service is not None and service.state().manager is None:
            service.start()
            self.say(f"no daemon was running: {service.kind} started it")
        else:
            from agtmux.cli.spawn import start_daemon

            start_daemon()
            self.say(f"no daemon was running: started one (log: {paths.log_path()})")
        self._first_look()

    def _first_look(self) -> None:
        """Give a new daemon a moment to read its targets. An empty first listing would claim that nothing runs."""
        import time

        deadline = time.monotonic() + FIRST_LOOK
        while time.monotonic() < deadline:
            targets = Client().health().json().get("targets") or ()
            if all(target.get("read", target.get("last_seen_at")) or target.get("reason") for target in targets):
                return
            time.sleep(0.02)

    def _why_not(self) -> str:
        if not self.autostart:
            return "--no-autostart is given"
        if os.environ.get("AGTMUX_NO_AUTOSTART", "") not in ("", "0"):
            return "AGTMUX_NO_AUTOSTART is set"
        if paths.socket_path() != os.path.join(paths.runtime_dir(), "agtmuxd.sock"):
            return "AGTMUX_SOCKET is not the socket that a new daemon would use"
        config = config_values()
        if config.get("autostart") is False:
            return "autostart is off in the config"
        return why_not_from_here(config)

    def _check_version(self, version: str) -> None:
        if is_older(version):
            from agtmux import __version__

            self.say(f"the daemon is older ({version}) than this agtmux ({__version__}): run agtmux daemon restart")


def why_not_from_here(config: dict[str, object] | None = None) -> str:
    """Return why this process must not start a daemon. Empty if it may.

    Such a daemon would run with the environment, the folders and the sandbox of the agent that it should watch.
    """
    from agtmux.cli.inside_agent import agent_above

    agent = agent_above()
    if agent is None or (config_values() if config is None else config).get("allow_agent_actions") is True:
        return ""
    return f"this command runs inside {agent}, whose environment the daemon would keep; run it in your own shell"


def config_values() -> dict[str, object]:
    """Return the config file, unchecked. Empty if there is none."""
    import tomllib

    path = paths.config_file()
    try:
        return tomllib.loads(read_regular(path, 1 << 20).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"cannot read {path}: {error.strerror}. Check its permissions") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"{path} is not valid TOML: {error}. Correct the file, then try again"
        ) from None


pass_app: Callable[[Callable[..., Any]], Callable[..., Any]] = click.make_pass_decorator(App, ensure=True)


def _set(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if value is None:
        return
    app = ctx.ensure_object(App)
    if param.name == "color":
        app.color = str(value)
        ctx.color = {"always": True, "never": False}.get(app.color)
    elif param.name == "quiet":
        app.quiet = True
    else:
        app.autostart = False


def shared(hidden: bool = True) -> Callable[[F], F]:
    """Add the global options, so that they may stand before or after a command. Only the help of the root
    shows them.
    """

    def add(function: F) -> F:
        for names, text in (
            (["--no-autostart"], "Do not start a daemon when none is running."),
            (["-q", "--quiet"], "Print only results and errors, no hints or summaries."),
        ):
            function = click.option(
                *names,
                is_flag=True,
                flag_value=True,
                default=None,
                expose_value=False,
                callback=_set,
                hidden=hidden,
                help=text,
            )(function)
        return click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            expose_value=False,
            callback=_set,
            hidden=hidden,
            help="Use colour and tables: auto (on a terminal; the default), always or never.",
        )(function)

    return add


def write_body(body: bytes) -> None:
    """Write the API's body to stdout, byte for byte, with a newline after it on a terminal.

    Only what would control a terminal is escaped, which keeps the JSON value the same. A pipe gets the same, because it
    often ends at a terminal.
    """
    sys.stdout.flush()
    if not body.isascii() or b"\x7f" in body:
        from agtmux.protocol.text import escaped

        body = escaped(body.decode("utf-8", "replace")).encode()
    if sys.stdout.isatty() and not body.endswith(b"\n"):
        body += b"\n"
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()
