"""Run a program in this pane and report its start and end to the daemon (``agtmux run -- COMMAND``).

Owns the wrapper's process: signals, exit status. The daemon owns the meaning of its events.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

import click

from agtmux import hook
from agtmux.cli import completion_values
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

POST_FOR = 1_000_000_000
"""How long (ns) a report may take. Without a daemon there is no wait."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--as",
    "agent",
    metavar="AGENT",
    shell_complete=completion_values.agents,
    help="List this pane as AGENT and use AGENT's screen rules, for an agent in a container or wrapper.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(agent: str | None, command: tuple[str, ...]) -> None:
    """Run a program in this pane and list it as an agent.

    Without --as, its type is generic: running, then gone, or error if it fails (Ctrl-C is not a failure). A coding
    agent that agtmux finds in the process table is listed as that agent.

    The exit status is the program's (127 if it is not found, 128 + n if signal n ended it).

    \b
    Examples:
      agtmux run -- make test
      agtmux run --as claude -- docker exec -it box claude
    """
    if agent is not None:
        check_agent(agent)
        raise click.exceptions.Exit(run_program(command))
    report("start", {"command": list(command), "cwd": _folder()})
    code = run_program(command)
    report("exit", {"command": list(command), "exit_code": code})
    sys.stdout.flush()
    raise click.exceptions.Exit(code)


def check_agent(agent: str) -> None:
    """Raise a usage error for an agent that the running daemon does not know. Without a daemon nothing is checked."""
    known = completion_values.known_agents()
    if known and agent not in known:
        raise click.BadParameter(
            f"unknown agent {agent!r}. Use one of: {', '.join(known)}. "
            "To add one, write a rules file (docs/adapters/own-rules.md).",
            param_hint="--as",
        )


def run_program(command: tuple[str, ...]) -> int:
    """Run ``command`` on this terminal and wait for it. Return its exit status as a shell gives it.

    Interrupts of the terminal reach both processes, and the program handles them. A signal sent to this process alone
    is passed on while the program runs.
    """
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    passed_on = (signal.SIGTERM, signal.SIGHUP)
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, passed_on
    )  # they wait until there is a process to pass them on to
    try:
        pid = os.posix_spawnp(
            command[0], list(command), os.environ, setsigdef=[signal.SIGINT, signal.SIGQUIT], setsigmask=before
        )
    except FileNotFoundError:
        click.echo(f"agtmux run: {one_line(command[0])}: not found", err=True)
        return 127
    except OSError as error:
        click.echo(f"agtmux run: {one_line(command[0])}: {error.strerror}", err=True)
        return 126

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with suppress(OSError):  # it has just ended, or it runs as another user
            os.kill(pid, number)

    for number in passed_on:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    _, status = os.waitpid(pid, 0)
    for number in passed_on:
        signal.signal(
            number, signal.SIG_IGN
        )  # its pid may be another process's now, and its end still has to be reported
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def report(name: str, payload: dict[str, object]) -> None:
    """Report to the daemon, or write to the spool. A report that fails never stops the program."""
    try:
        _report(name, payload)
    except (OSError, AgtmuxError) as error:
        click.echo(f"agtmux run: could not report to the daemon: {one_line(str(error))}", err=True)


def _report(name: str, payload: dict[str, object]) -> None:
    """Send the report. Raises OSError, AgtmuxError if the spool cannot be written either."""
    now = time.time_ns()
    event = hook.build_event("generic", "wrapper", payload, now, os.environ, name)
    event["chain"] = hook.ancestors(os.getpid())
    event["pid"] = os.getpid()
    body = hook.encode(event)
    if any(hook.post(path, body, now + POST_FOR) for path in paths.socket_candidates()):
        return
    hook.spool(hook.to_spool(event), paths.spool_path(), now + 2 * POST_FOR)


def _folder() -> str | None:
    """Return the working directory. None in a removed directory, where programs run all the same."""
    try:
        return os.getcwd()
    except OSError:
        return None
