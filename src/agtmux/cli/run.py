"""``agtmux run -- COMMAND``: runs a program in this pane and tells the daemon when it starts and how it ends.

Owns the wrapper's process: signals, exit status. What its events mean is the daemon's.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import click

from agtmux import hook
from agtmux.protocol import paths

POST_FOR = 1_000_000_000
"""How long (ns) a report may take; with no daemon there is no wait."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Run a program in this pane, listed as an agent of type generic: running, then gone, or error if it fails
    (Ctrl-C is no failure).

    The exit status is the program's own (127 where it is not found, 128 + n where signal n ended it). A coding agent
    that agtmux knows is listed as itself.

    \b
    Examples:
      agtmux run -- make test
      agtmux run -- ./train.py --epochs 3
    """
    report("start", {"command": list(command), "cwd": os.getcwd()})
    code = spawn(command)
    report("exit", {"command": list(command), "exit_code": code})
    sys.stdout.flush()
    raise click.exceptions.Exit(code)


def spawn(command: tuple[str, ...]) -> int:
    """Run ``command`` on this terminal and wait for it; its exit status as a shell gives it.

    Interrupts of the terminal reach both processes: they are the program's to judge. A signal sent to this process
    alone is passed on.
    """
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    passed_on = (signal.SIGTERM, signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, passed_on)  # they wait until there is somebody to pass them on to
    try:
        pid = os.posix_spawnp(
            command[0], list(command), os.environ, setsigdef=[signal.SIGINT, signal.SIGQUIT], setsigmask=before
        )
    except FileNotFoundError:
        click.echo(f"agtmux run: {command[0]}: not found", err=True)
        return 127
    except OSError as error:
        click.echo(f"agtmux run: {command[0]}: {error.strerror}", err=True)
        return 126
    for number in passed_on:
        signal.signal(number, lambda n, _frame: os.kill(pid, n))
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def report(name: str, payload: dict[str, object]) -> None:
    """Tell the daemon, or leave it in the spool. A report that cannot be made never stops the program."""
    now = time.time_ns()
    event = hook.build_event("generic", "wrapper", payload, now, os.environ, name)
    event["chain"] = hook.ancestors(os.getpid())
    event["pid"] = os.getpid()
    body = hook.encode(event)
    if any(hook.post(path, body, now + POST_FOR) for path in paths.socket_candidates()):
        return
    from agtmux.protocol.redact import redact

    safe = redact(event) | {"spooled": True}
    try:
        hook.spool(json.dumps(safe, separators=(",", ":")).encode(), paths.spool_path(), now + 2 * POST_FOR)
    except OSError as error:
        click.echo(f"agtmux run: not reported: {error}", err=True)
