"""Run ``agtmuxd`` in the foreground: read flags and configuration, set up the log, start the daemon.

Logs go to standard error unless ``--log-file`` is given.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from agtmux import __version__
from agtmux.protocol.errors import AgtmuxError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agtmuxd")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="Write log lines as text or JSON [default: text]."
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Log this level and above [default: info].",
)
@click.option(
    "--log-file",
    type=click.Path(dir_okay=False),
    help="Log to this file, with a size limit, instead of standard error.",
)
@click.option(
    "--config", type=click.Path(dir_okay=False), help="Use this configuration file instead of the default one."
)
@click.option("--check-config", is_flag=True, help="Check the configuration file and exit; status 1 if it is wrong.")
@click.option("--hook-program", is_flag=True, help="Print the hook program as a single file, for containers, and exit.")
def main(
    log_format: str | None,
    log_level: str | None,
    log_file: str | None,
    config: str | None,
    *,
    check_config: bool,
    hook_program: bool,
) -> None:
    """Watch the coding agents in tmux and serve their states on a socket.

    Runs in the foreground until SIGTERM or Ctrl-C. SIGHUP reloads the configuration. You rarely start it by hand: the
    first agtmux command starts it, and `agtmux daemon start|stop|status` manage it.

    Example: agtmuxd --log-format json
    """
    if hook_program:
        from agtmuxd.remote_hooks import install_program

        click.echo(install_program.text(), nl=False)
        return
    if config is not None:
        os.environ["AGTMUX_CONFIG"] = os.path.abspath(config)
    if check_config:
        _check_config()
        return
    _import_structlog_without("rich")
    from agtmuxd.config import load  # late, so that --help and --version are quick
    from agtmuxd.daemon import main_async
    from agtmuxd.log import configure
    from agtmuxd.log.sink import Sink
    from agtmuxd.process import DaemonPaths

    places = DaemonPaths.from_environment()
    try:
        settings = load(places.config)
    except AgtmuxError as error:
        click.echo(f"agtmuxd: {error.message} ({error.code})", err=True)
        sys.exit(1)
    sink = Sink(None if log_file is None else os.path.abspath(log_file), settings.log_max_bytes)
    configure(log_level or settings.log_level, log_format or settings.log_format, sink.write, sink.losses)
    sys.exit(main_async(places, sink))


def _check_config() -> None:
    from agtmux.protocol import paths
    from agtmuxd.config import load

    path = paths.config_file()
    try:
        load(path)
    except AgtmuxError as error:
        click.echo(f"agtmuxd: {error.message} ({error.code})", err=True)
        sys.exit(1)
    click.echo(
        f"{path}: no mistakes" if os.path.lexists(path) else f"{path}: does not exist: all settings have their defaults"
    )


def _import_structlog_without(name: str) -> None:
    """Import structlog without a package that it would load to format tracebacks. Saves 3 MiB of memory."""
    if name not in sys.modules:
        sys.modules[name] = None  # type: ignore[assignment]
        importlib.import_module("structlog")
        del sys.modules[name]


if __name__ == "__main__":
    main()
