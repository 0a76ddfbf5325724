"""Install and remove the daemon as a service (``agtmux daemon install|uninstall``), and start and stop it through it.

Owns what is printed of a service. ``agtmux.service`` knows the managers.
"""

from __future__ import annotations

import tempfile

import click

from agtmux import installation
from agtmux.cli import daemon_process
from agtmux.cli.context import App, pass_app, shared, why_not_from_here
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import block, one_line
from agtmux.transport import NoDaemonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agtmux.service.state import Service, ServiceState

STARTED_WITHIN = 10.0
"""Seconds that a started service may take to answer."""

_dry = click.option("--dry-run", is_flag=True, help="Print the files and commands without writing or running them.")


@click.command(short_help="Install the daemon as a service of your user.")
@_dry
@shared()
@pass_app
def install(app: App, dry_run: bool) -> None:
    """Install the daemon as a service of your user.

    Linux: systemd user units; systemd listens at the socket and starts the daemon at login. macOS: a launchd agent.
    Your tmux servers and agents are not part of the service. Install again after an update or to mend the files.

    \b
    Examples:
      agtmux daemon install --dry-run
      agtmux daemon install
    """
    from agtmux import written_files
    from agtmux.service import find

    service = find.manager()
    _refuse_temporary(service)
    if dry_run:
        _print_plan(service)
        return
    _refuse_agents("install")
    before = service.state()
    changed = written_files.check(service.wanted(), "agtmux daemon install")
    if not changed and before.manager is None and before.enabled and (before.active or before.waits):
        click.echo(f"nothing to change: {before.words}")
        return
    _stop_other(app, before)
    service.install(restart=True)
    for path in changed:
        click.echo(f"wrote {one_line(path)}")
    pid = app.client(autostart=False, timeout=STARTED_WITHIN).health().json().get("pid")
    click.echo(f"started by {service.kind} (pid {pid}), and at each login from now on")
    if service.state().linger is False:
        app.say("the service ends with your last logout; to keep it running, run loginctl enable-linger")


@click.command(short_help="Remove the service that install added.")
@_dry
@shared()
@pass_app
def uninstall(app: App, dry_run: bool) -> None:
    """Remove the service that install added.

    Stops the daemon. Files that you changed, and your drop-ins, stay. Commands start the daemon again.

    \b
    Example:
      agtmux daemon uninstall
    """
    from agtmux.service import find
    from agtmux.written_files import OURS

    service = find.manager()
    before = service.state()
    if not before.installed:
        click.echo("not installed")
        return
    if dry_run:
        for path, owner in before.files.items():
            click.echo(f"would {'remove' if owner == OURS else 'keep'} {one_line(path)}")
        return
    _refuse_agents("remove")
    removed, kept = service.uninstall()
    for path in removed:
        click.echo(f"removed {one_line(path)}")
    for path in kept:
        click.echo(f"kept {one_line(path)}: agtmux did not write it, or you changed it")


def active() -> tuple[Service, ServiceState] | None:
    """Return the service of the daemon that this command talks to, with its state. None if its manager does not answer
    or none is installed.
    """
    from agtmux.service import find

    service = find.installed()
    state = None if service is None else service.state()
    return None if service is None or state is None or state.manager is not None else (service, state)


def journal(lines: int, *, follow: bool) -> bool:
    """Print the log of the service from systemd's journal. False if the daemon does not log there."""
    import shutil
    import subprocess

    found = active()
    if found is None or found[0].kind != "systemd" or shutil.which("journalctl") is None:
        return False
    argv = ["journalctl", "--user", "-u", "agtmuxd.service", "-n", str(lines), "-o", "cat", "--no-pager", "-q"]
    with subprocess.Popen(
        [*argv, *(["-f"] if follow else [])], stdout=subprocess.PIPE, text=True, errors="replace"
    ) as of:
        assert of.stdout is not None  # noqa: S101 it is a pipe
        for line in of.stdout:
            click.echo(block(line), nl=False)
    return of.returncode == 0


def _print_plan(service: Service) -> None:
    import shlex

    for path, text in service.wanted().items():
        click.echo(f"# {one_line(path)}")
        click.echo(block(text))
    for command in service.commands():
        click.echo(f"# run: {shlex.join(command)}")


def _refuse_temporary(service: Service) -> None:
    """Raise E_PRECONDITION_FAILED if the program that the service would start will not be there for long."""
    from agtmux.service.files import program_in

    for text in service.wanted().values():
        program = program_in(text)
        where = program and installation.temporary_place(program, tempfile.gettempdir())
        if where:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"{program} lies in {where}, and the service would stop working when it is deleted: install agtmux "
                "permanently (uv tool install, pipx install), then run agtmux daemon install from there",
            )


def _refuse_agents(verb: str) -> None:
    if why_not_from_here():
        raise AgtmuxError("E_FORBIDDEN", f"a supervised agent may not {verb} the service: run this in your own shell")


def _stop_other(app: App, before: ServiceState) -> None:
    """Stop a daemon that a command started: it holds the socket and the locks that the service needs."""
    if before.active or before.waits:
        return
    try:
        client = app.client(autostart=False)
        pid = int(client.health().json().get("pid") or 0)
        client.stop()
    except NoDaemonError:
        found = daemon_process.running()
        if found is None:
            return
        daemon_process.end(found)
        pid = found
    else:
        daemon_process.wait_gone(pid)
    app.say(f"stopped the daemon that a command had started (pid {pid})")
