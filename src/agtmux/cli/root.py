"""Define the command tree, and turn errors into output in one place.

Owns the names of the commands, their one-line help, and how an error becomes a line, an envelope and an exit status. A
command's module is imported when that command runs, so ``agtmux -h`` and ``agtmux ls`` stay quick.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys

import click

from agtmux import __version__
from agtmux.cli.context import shared
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import escaped, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("listing:list_group", "List agents by pane, window or session."),
    "ls": ("listing:panes", "List panes with agents (short for: agtmux list panes)."),
    "top": ("top:top", "Watch agents in a dashboard and act on them."),
    "pick": ("top:pick", "Attach to an agent that you choose from a list."),
    "watch": ("watch:watch", "Watch agents live, as a table or as JSON lines."),
    "status": ("status:status", "Print counts of agents for a status bar."),
    "explain": ("explain:explain", "Explain why a pane is in its state."),
    "agents": ("agent:agents", "List agents by name."),
    "agent": ("agent:agent_group", "Manage agents: show, add, name, bind and retire them."),
    "name": ("agent:name", "Set the name of the agent in a pane."),
    "whoami": ("agent:whoami", "Show who you are to agtmux: a person, or an agent."),
    "team": ("team:team_group", "Manage teams of agents by a file."),
    "attach": ("attach:attach", "Attach this terminal to a pane."),
    "jump": ("jump:jump", "Go to an agent that needs you, and back."),
    "menu": ("menu:menu", "Show a tmux menu of agents that need you."),
    "view-output": ("view:view_output", "Show what is on a pane's screen."),
    "send": ("send:send", "Send text or keys to a pane."),
    "prompt": ("send:prompt", "Send an agent a prompt, and wait for the result if you like."),
    "wait": ("wait:wait", "Wait until agents reach a state, or until conditions are met."),
    "signal": ("signals:signal_group", "Send signals on topics, and print those of others."),
    "queue": ("queue:queue", "Add prompts to an agent's queue, and change what waits."),
    "approve": ("decisions:approve", "Approve what an agent asks for."),
    "deny": ("decisions:deny", "Deny what an agent asks for."),
    "answer": ("decisions:answer", "Answer an agent's question."),
    "interrupt": ("decisions:interrupt", "Interrupt an agent's turn."),
    "kill": ("kill:kill", "Send C-c or a signal to an agent."),
    "ack": ("decisions:ack", "Mark a pane as seen."),
    "msg": ("msg:msg_group", "Send messages to agents, reply, and see what was delivered."),
    "inbox": ("inbox:inbox", "Show messages that you were sent."),
    "outbox": ("inbox:outbox", "Show messages that you sent, and what was delivered."),
    "thread": ("inbox:thread", "Show a message with all replies."),
    "channel": ("channel:channel_group", "Manage channels: groups of agents to send messages to."),
    "dead": ("dead:dead_group", "Manage messages that could not be delivered."),
    "notify": ("notify:notify_group", "Manage notifications: check channels, see what was sent."),
    "mute": ("mute:mute", "Stop notifications of a pane, or all, for a while."),
    "unmute": ("mute:unmute", "Start notifications of a pane again, or all."),
    "actions": ("audit:actions", "List actions and their results."),
    "history": ("history:history", "List actions and messages with their results."),
    "recap": ("recap:recap", "Show who waited for you, what finished and what failed."),
    "new": ("new:new", "Start an agent in a new tmux window."),
    "restore": ("restore:restore", "Restart agents that were lost with their tmux server."),
    "events": ("events:events", "List events that agents reported, newest first."),
    "target": ("target:target_group", "Manage the tmux servers that agtmux watches."),
    "worktree": ("worktree:worktree_group", "Manage agents' worktrees, and never lose work in them."),
    "conflict": ("conflict:conflict_group", "List merge conflicts in files, and resolve them one by one."),
    "run": ("run:run", "Run a program in this pane and list it as an agent."),
    "lease": ("lease:lease_group", "Manage leases: paths and names that one agent holds at a time."),
    "policy": ("policy:policy_group", "Show the rules of who may do what, and check them."),
    "guard": ("guard:guard_group", "Manage the git hooks that protect leased files."),
    "rules": ("rules:rules_group", "Check the screen rules against their samples."),
    "hooks": ("hooks:hooks_group", "Manage the hooks through which agents report."),
    "install-skill": ("install_skill:install_skill", "Install a skill that teaches agents agtmux."),
    "mcp": ("mcp:mcp", "Run an MCP server for an agent."),
    "hook": ("hook_help:hook", "Report an agent's event (run by agents, not by you)."),
    "web": ("web:web_group", "Manage the web page and the devices that may use it."),
    "tmux": ("tmux:tmux_group", "Manage agtmux's keys and options in your tmux server."),
    "daemon": ("daemon:daemon_group", "Start, stop and check the daemon."),
    "menubar": ("menubar:menubar_group", "Show agents in the menu bar of macOS, by SwiftBar or xbar."),
    "doctor": ("doctor:doctor", "Check everything, and print how to fix what is wrong."),
    "man": ("man:man", "Print a manual page, or write all of them into a folder."),
    "completion": ("completion:completion", "Print the tab completion script for your shell."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command = getattr(importlib.import_module(f"agtmux.cli.{module}"), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from agtmux.cli.usage_errors import no_command

            raise click.UsageError(no_command(args[0], self, ctx), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


EXIT_STATUS = """
\b
Exit status:
  0 done, 1 failed, 2 wrong command line or request, 3 no daemon or not allowed,
  4 no such pane, target or action, or more than one, 5 refused by a check,
  6 target not reached, 7 timed out or not confirmed, 130 Ctrl-C
"""


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_STATUS,
)
@shared(hidden=False)
@click.version_option(__version__, "-V", "--version", prog_name="agtmux", message="%(prog)s %(version)s")
def root() -> None:
    """Show what the coding agents in tmux do, and which ones need you.

    \b
    Examples:
      agtmux ls                      list agents, those that need you first
      agtmux watch                   watch them live
      agtmux explain claude          explain the state of the only Claude Code
      agtmux hooks install           let agents report through hooks
    """


def run(argv: Sequence[str]) -> int:
    """Run one command line and return the exit status. Raises only KeyboardInterrupt."""
    if "_AGTMUX_COMPLETE" in os.environ:
        root.main(list(argv), prog_name="agtmux")  # answers the shell and exits
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_closed()
    _write_what_can_be_written()
    try:
        with root.make_context("agtmux", list(argv)) as ctx:
            root.invoke(ctx)
        sys.stdout.flush()
    except AgtmuxError as error:
        return _fail(error, argv)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        from agtmux.cli.usage_errors import usage_message

        return _fail(AgtmuxError("E_INVALID_REQUEST", usage_message(error)), argv)
    except click.Abort:
        click.echo("agtmux: cancelled, nothing was done", err=True)
        return 130
    except BrokenPipeError:
        _write_nowhere()  # the reader has left
    except OSError as error:  # a full disk, or a folder that cannot be made
        _write_nowhere()
        where = f" ({error.filename})" if error.filename else ""
        return _fail(AgtmuxError("E_INTERNAL", f"{error.strerror or error}{where}"), ())
    return 0


def _open_closed() -> None:
    """Open standard streams that the caller closed, so that no file or socket gets their numbers. Output to them is
    dropped.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(fd)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the rest of the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _write_what_can_be_written() -> None:
    """Print ``?`` for characters that the locale's encoding lacks. Screens of agents are full of lines and signs."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="replace")


def _write_nowhere() -> None:
    """Drop what Python still flushes at its exit, so that this does not fail too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _fail(error: AgtmuxError, argv: Sequence[str]) -> int:
    """Print the error in one line on stderr. With ``--json``, print the envelope on stdout."""
    if "--json" in argv:
        click.echo(escaped(json.dumps(error.envelope(), ensure_ascii=False)))
    click.echo(f"agtmux: {one_line(error.message)} ({error.code})", err=True)
    return error.exit_status
