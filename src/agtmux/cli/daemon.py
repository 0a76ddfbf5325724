"""Control the daemon (``agtmux daemon start|stop|restart|status|logs|config|reload``). Owns these messages.

Where a service runs the daemon, it is started and stopped through its manager.
"""

from __future__ import annotations

import codecs
import os
import time

import click

from agtmux import render
from agtmux.cli import daemon_process, daemon_service
from agtmux.cli.context import App, pass_app, shared, why_not_from_here, write_body
from agtmux.cli.target import show_targets
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import open_regular
from agtmux.protocol.text import block
from agtmux.transport import ConnectionLostError, NoDaemonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO


_PIECE = 1 << 16
"""Bytes of the log that are read at a time."""


@click.group("daemon")
def daemon_group() -> None:
    """Start, stop and check the daemon.

    You rarely need this: other commands start the daemon when none is running.

    \b
    Example:
      agtmux daemon status
    """


@daemon_group.command()
@shared()
@pass_app
def start(app: App) -> None:
    """Start the daemon, if none is running.

    \b
    Example:
      agtmux daemon start
    """
    service = daemon_service.active()
    try:
        if service is not None and not service[1].active:
            raise NoDaemonError("E_DAEMON_UNREACHABLE", "the service is stopped")  # a connection would start it
        health = app.client(autostart=False).health().json()
    except NoDaemonError:
        _start(app)
        return
    click.echo(f"already running (pid {render.clean(health.get('pid'))})")


@daemon_group.command(short_help="Stop the daemon; agents keep running.")
@shared()
@pass_app
def stop(app: App) -> None:
    """Stop the daemon; agents keep running.

    Until you start it again, hooks keep their events in a spool file. A service stays stopped until its next start
    or your next login.

    \b
    Example:
      agtmux daemon stop
    """
    try:
        pid = _stop(app)
    except NoDaemonError:
        click.echo("not running")
        return
    click.echo(f"stopped (pid {pid})")


@daemon_group.command()
@shared()
@pass_app
def restart(app: App) -> None:
    """Restart the daemon, or start it if none is running.

    agtmux watch continues where it was.

    \b
    Example:
      agtmux daemon restart
    """
    service = daemon_service.active()
    if service is not None and service[1].active:
        try:
            _ask_to_stop(app)
        except (NoDaemonError, ConnectionLostError):  # it does not answer
            _refuse_agents()
        service[0].restart()
        pid = app.client(autostart=False).health().json().get("pid")
        click.echo(f"restarted by {service[0].kind} (pid {render.clean(pid)})")
        return
    try:
        click.echo(f"stopped (pid {_stop(app)})")
    except NoDaemonError as error:
        app.say(error.message.partition(":")[0])
    _start(app)


@daemon_group.command()
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def status(app: App, as_json: bool) -> None:
    """Show the daemon's status.

    Prints targets, adapters, counters, the last errors, and the service if one is installed. Exit status 3 if no
    daemon is running.

    \b
    Examples:
      agtmux daemon status
      agtmux daemon status --json | jq .counters
    """
    service = daemon_service.active()
    words = None if service is None else service[1].words
    if service is not None and service[1].waits:
        raise AgtmuxError("E_DAEMON_UNREACHABLE", f"no daemon runs now ({words}): run agtmux daemon start")
    try:
        reply = app.client(autostart=False).health()
    except NoDaemonError as error:
        raise _unreachable(error) from None
    if as_json:
        write_body(reply.body)
        return
    _print_health(app, reply.json(), words)


@daemon_group.command()
@click.option(
    "-n", "--lines", type=click.IntRange(0, 100_000), default=50, show_default=True, help="Print the last N lines."
)
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines.")
@shared()
def logs(lines: int, follow: bool) -> None:
    """Print the daemon's log.

    \b
    Example:
      agtmux daemon logs -n 20 -f
    """
    path = paths.log_path()
    try:
        if not daemon_service.journal(lines, follow=follow):
            _show(path, lines, follow=follow)
    except FileNotFoundError:
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"there is no log at {path}: no daemon was started here yet; run agtmux daemon start"
        ) from None
    except BrokenPipeError:
        raise  # of standard output
    except OSError as error:
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"cannot read the log {path}: {error.strerror}. Check its permissions"
        ) from None
    except KeyboardInterrupt:
        click.get_current_context().exit(130)


@daemon_group.command(short_help="Print the configuration in effect.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def config(app: App, as_json: bool) -> None:
    """Print the configuration in effect, with defaults, and its file.

    \b
    Example:
      agtmux daemon config
    """
    reply = app.client(autostart=False).config()
    if as_json:
        write_body(reply.body)
        return
    body = reply.json()
    click.echo(f"# {render.clean(body.get('path'))}")
    for line in _toml(body.get("config") or {}, ""):
        click.echo(line)


@daemon_group.command()
@shared()
@pass_app
def reload(app: App) -> None:
    """Reload the daemon's config file.

    \b
    Example:
      agtmux daemon reload
    """
    app.client(autostart=False).reload()
    click.echo("reloaded")


daemon_group.add_command(daemon_service.install)
daemon_group.add_command(daemon_service.uninstall)


def _start(app: App) -> None:
    from agtmux.cli.spawn import start_daemon

    why_not = why_not_from_here()
    if why_not:
        raise AgtmuxError("E_FORBIDDEN", f"the daemon was not started: {why_not}")
    service = daemon_service.active()
    if service is not None:
        service[0].start()
        pid = app.client(autostart=False).health().json().get("pid")
        click.echo(f"started by {service[0].kind} (pid {render.clean(pid)})")
        return
    started = start_daemon()
    pid = app.client(autostart=False).health().json().get("pid")
    if pid == started:
        click.echo(f"started (pid {started}, log {paths.log_path()})")
    else:  # it was there, and had just put its socket back
        click.echo(f"already running (pid {render.clean(pid)})")


def _stop(app: App) -> int:
    """Stop the daemon, wait until its process is gone, and return its pid. Raises NoDaemonError if none runs.

    A daemon that does not answer, or whose socket is lost, is found by the locks that it holds.
    """
    service = daemon_service.active()
    if service is not None and service[1].waits:
        _refuse_agents()
        service[0].stop()
        raise NoDaemonError("E_DAEMON_UNREACHABLE", "no daemon runs, and its service is stopped now")
    try:
        pid = _ask_to_stop(app)
    except (NoDaemonError, ConnectionLostError):
        found = daemon_process.running()
        if found is None:
            raise
        _refuse_agents()
        daemon_process.end(found)
        pid = found
    if service is not None:
        service[0].stop()  # the socket too: the next command or hook would start the daemon again
    daemon_process.wait_gone(pid)
    return pid


def _ask_to_stop(app: App) -> int:
    """Ask the daemon to stop, and return its pid. It refuses a supervised agent."""
    client = app.client(autostart=False)
    pid = int(client.health().json().get("pid") or 0)
    client.stop()
    return pid


def _refuse_agents() -> None:
    if why_not_from_here():
        raise AgtmuxError("E_FORBIDDEN", "a supervised agent may not stop the daemon: stop it from your own shell")


def _unreachable(error: NoDaemonError) -> AgtmuxError:
    """Return the error of a client that found no socket, or an error that a daemon runs although its socket is lost."""
    pid = daemon_process.running()
    if pid is None:
        return error
    return AgtmuxError(
        "E_DAEMON_UNREACHABLE",
        f"the daemon (pid {pid}) runs but does not listen at {paths.socket_path()}: run agtmux daemon restart",
        {"socket": paths.socket_path(), "pid": pid},
    )


def _print_health(app: App, body: Mapping[str, Any], service: str | None = None) -> None:
    say = render.clean
    click.echo(f"agtmuxd {say(body.get('version'))}, pid {say(body.get('pid'))}, up {say(body.get('uptime_s'))} s")
    click.echo(f"status    {say(body.get('status'))}")
    click.echo(f"socket    {say(body.get('socket'))}")
    if service is not None:
        click.echo(f"service   {service}")
    click.echo(f"database  {say(body.get('database'))} (schema {say(body.get('database_schema'))})")
    for name in ("queues", "counters", "spool"):
        values = body.get(name) or {}
        if values:
            click.echo(f"{name:<9} " + ", ".join(f"{say(key)} {say(value)}" for key, value in values.items()))
    _print_sizes(body.get("store") or {}, body.get("log") or {})
    for adapter in body.get("adapters") or ():
        state = "on" if adapter.get("enabled", True) else "off"
        errors = (
            f", {adapter['errors']} errors, last: {say(adapter.get('last_error'))}" if adapter.get("errors") else ""
        )
        reads = f", reads {say(adapter['oldest_version'])} and newer" if adapter.get("oldest_version") else ""
        click.echo(f"adapter   {say(adapter.get('name'))} {say(adapter.get('version'))} {state}{reads}{errors}")
        for server in adapter.get("servers") or ():
            how = "connected" if server.get("connected") else f"not connected: {say(server.get('reason'))}"
            click.echo(f"server    {say(adapter.get('name'))} {say(server.get('config_home'))} {how}")
    targets = body.get("targets") or []
    if targets:
        click.echo()
        show_targets(app, targets)
    for error in body.get("last_errors") or ():
        click.echo(f"error     {say(error)}")


def _show(path: str, lines: int, *, follow: bool) -> None:
    """Print the log's last lines, also from the previous log file. With ``follow``, keep printing what is added."""
    first = True
    while first or follow:
        with open(open_regular(path), "rb") as raw:
            if first:
                _show_before(path, _to_last(raw, lines))
            _copy(raw)
            while follow and not _is_another(path, raw.fileno()):
                time.sleep(0.2)
                _copy(raw)
            _copy(raw)  # the rest of the file that was rotated
        first = False


def _show_before(path: str, lines: int) -> None:
    """Print the last lines of the previous log file, if there is one."""
    if lines and os.path.exists(path + ".1"):
        with open(open_regular(path + ".1"), "rb") as before:
            _to_last(before, lines)
            _copy(before)


def _copy(raw: BinaryIO) -> None:
    """Print the rest of a file, piece by piece."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    while more := raw.read(_PIECE):
        click.echo(block(decode(more)), nl=False)


def _is_another(path: str, fd: int) -> bool:
    """Return whether the log is now another file."""
    try:
        return not os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def _to_last(file: BinaryIO, count: int) -> int:
    """Move to the start of the last ``count`` lines, reading backwards: a log can be long. Return how many lines are
    missing.
    """
    place = end = file.seek(0, os.SEEK_END)
    found = 0
    while place and count:
        start = max(0, place - _PIECE)
        file.seek(start)
        piece = file.read(place - start)
        at = len(piece)
        while (at := piece.rfind(b"\n", 0, at)) >= 0:
            found += start + at + 1 < end  # the newline that ends the last line begins no new line
            if found == count:
                file.seek(start + at + 1)
                return 0
        place = start
    file.seek(0 if count else end)
    return count - found - (end > 0) if count else 0


def _print_sizes(store: Mapping[str, Any], log: Mapping[str, Any]) -> None:
    say = render.clean
    if store:
        used = store.get("used_bytes")
        parts = [f"{_mib(store.get('bytes'))} on disk", f"{'?' if used is None else _mib(used)} used"]
        parts.append(f"{_mib(store.get('max_bytes'))} allowed (store.max_bytes)")
        parts.append(f"log {_mib(store.get('wal_bytes'))}, {say(store.get('failures'))} writes failed")
        click.echo("size      " + ", ".join(parts) + (", being checked" if store.get("checking") else ""))
    if log:
        click.echo(
            f"log       {say(log.get('path') or 'standard error')}, {say(log.get('lost'))} lines lost,"
            f" {say(log.get('left_out'))} repeated lines left out"
        )


def _mib(count: object) -> str:
    return f"{count / (1 << 20):.1f} MiB" if isinstance(count, int) else "?"


def _toml(config: Mapping[str, Any], prefix: str) -> list[str]:
    """Return the configuration as TOML: values first, then a section per table."""
    import json

    lines = [
        f"{render.clean(key)} = {render.clean(json.dumps(value, ensure_ascii=False))}"
        for key, value in config.items()
        if not isinstance(value, dict) and value is not None
    ]
    for key, value in config.items():
        if isinstance(value, dict):
            name = f"{prefix}{render.clean(key)}"
            lines += ["", f"[{name}]", *_toml(value, f"{name}.")]
    return lines
