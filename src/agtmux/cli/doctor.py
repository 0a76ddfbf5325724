"""Check everything and print what to fix (``agtmux doctor``). Owns the printed form. The checks are in ``doctor``."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap

import click

from agtmux.cli import daemon_process
from agtmux.cli.context import App, pass_app, shared
from agtmux.protocol.text import escaped
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agtmux.doctor.report import Finding, Report

_STYLE: dict[str, dict[str, Any]] = {
    "ok": {"fg": "green"},
    "note": {"fg": "cyan"},
    "skipped": {"dim": True},
    "warning": {"fg": "yellow", "bold": True},
    "problem": {"fg": "red", "bold": True},
}
_WIDTHS = (8, 10)
"""Columns of the severity and of the check's name."""
_NARROW = 60
"""Columns of a terminal below which the text of a finding stands below its name."""


@click.command(short_help="Check everything, and print how to fix what is wrong.")
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
@click.option(
    "--bundle", metavar="FILE", type=click.Path(dir_okay=False),
    help="Write a redacted archive (.tar.gz) to attach to a report. It must not exist yet.",
)  # fmt: skip
@shared()
@pass_app
def doctor(app: App, as_json: bool, bundle: str | None) -> None:
    """Check everything, and print how to fix what is wrong.

    Looks at the daemon, its service, tmux, targets, agents, hooks, ssh, disk and configuration. Starts no daemon and
    changes nothing. Exit status 0 if there is nothing to fix, 1 if there is a warning or a problem.

    \b
    Examples:
      agtmux doctor
      agtmux doctor --json | jq '.checks[].findings[] | select(.fix)'
      agtmux doctor --bundle report.tar.gz
    """
    from agtmux.doctor import checks, facts

    found = facts.gather(os.environ, daemon_process.running)

    def slow(names: list[str]) -> None:
        if sys.stderr.isatty():
            app.say(f"still checking: {', '.join(names)}")

    report = checks.run(found, slow=slow)
    if as_json:
        click.echo(escaped(json.dumps(report.as_json(), ensure_ascii=False)))
    else:
        _print(app, report)
    if bundle is not None:
        from agtmux.doctor import bundle as archive

        files = archive.write(bundle, report, found)
        _print_bundle(bundle, files, err=as_json)
    if not report.healthy:
        click.get_current_context().exit(1)


def _print(app: App, report: Report) -> None:
    styled = app.styled() and not os.environ.get("NO_COLOR") and app.color != "never"
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for check, finding in report.findings():
        if app.quiet and finding.severity not in ("warning", "problem"):
            continue
        for line in _lines(check, finding, width, styled=styled):
            click.echo(line, color=styled or None)
    wrong = report.count("problem"), report.count("warning")
    if not app.quiet:
        click.echo()
        click.echo(_summary(*wrong))


def _summary(problems: int, warnings: int) -> str:
    if not problems and not warnings:
        return "Nothing to fix."
    counts = [(problems, "problem"), (warnings, "warning")]
    return " and ".join(f"{n} {what}" + "s" * (n != 1) for n, what in counts if n) + " to fix."


def _lines(check: str, finding: Finding, width: int, *, styled: bool) -> list[str]:
    """Return the lines of one finding. ``width`` 0: do not fold."""
    first, second = _WIDTHS
    severity = f"{finding.severity:<{first}}"
    head = f"{click.style(severity, **_STYLE[finding.severity]) if styled else severity} {check:<{second}}"
    text = clean(finding.text)
    narrow = 0 < width < _NARROW
    margin = "  " if narrow else " " * (first + second + 2)
    folded = textwrap.wrap(text, width - len(margin), break_on_hyphens=False) if width else [text]
    lines = [head.rstrip()] if narrow else [f"{head} {folded.pop(0)}"]
    lines += [margin + line for line in folded]
    if finding.fix is not None:
        run = f"run: {clean(finding.fix)}"  # never folded: it is there to be copied
        lines.append(margin + (click.style(run, bold=True) if styled else run))
    return lines


def _print_bundle(path: str, files: list[tuple[str, int]], *, err: bool) -> None:
    click.echo(err=err)
    click.echo(f"Wrote {clean(path)} (only you can read it) with:", err=err)
    for name, size in files:
        click.echo(f"  {name:<14} {size} bytes", err=err)
    click.echo(
        "It holds names of your targets, folders and hosts, but no text of a pane, no prompt and no secret.\n"
        f"Look into it before you send it: tar -xzOf {clean(path)} | less",
        err=err,
    )
