"""Isolate one adapter, so that its errors and delays cannot stop the daemon.

Exceptions are counted. Rules or an adapter that take too long are set aside. Owns this isolation for each part of the
contract. The registry owns which adapters there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from agtmux.protocol.redact import redact
from agtmuxd.adapters.contract import (
    Adapter,
    AppServerAdapter,
    Capabilities,
    Conversation,
    Ending,
    HookPlan,
    HookStatus,
    Identity,
    NamingAdapter,
    OpenFileAdapter,
    Operable,
    Rebindable,
    SessionHeader,
    TranscriptAdapter,
    TranscriptEvent,
    TranscriptOwner,
)
from agtmuxd.adapters.rules_only import RulesOnlyAdapter
from agtmuxd.adapters.shared import RuleAdapter
from agtmuxd.adapters.time_limit import LOOK_FOR, TimeLimitError, run_within, slow_rule
from agtmuxd.core.model import Claim, Proc, RawEvent, Sample, Signal, Write
from agtmuxd.core.screen.controls import Controls, KeyOverrides
from agtmuxd.core.versions import numbers

STRIKES: Final = 3
"""How often an adapter may take too long for a screen before it is set aside."""

T = TypeVar("T")


class IsolatedAdapter:
    """One isolated adapter. An exception is counted and becomes "nothing known". It never stops the daemon.

    ``normalise``, ``plan_hooks`` and ``hook_status`` pass ValueError on: it reports a bad payload or file.
    """

    def __init__(self, adapter: Adapter, redact: Callable[[Any], Any] = redact) -> None:
        """``redact``: removes secrets from a JSON-like value."""
        self.adapter = adapter
        self._redact = redact
        self.name: str = adapter.name
        self.agent_type: str = adapter.agent_type
        self.version: str = adapter.version
        self.contract_version: str = adapter.contract_version
        self.capabilities: Capabilities = adapter.capabilities
        self.innermost: bool = adapter.innermost
        self.errors = 0
        self.last_error: str | None = None
        self._slow = 0
        self._transcribed = IsolatedTranscript(self, adapter) if isinstance(adapter, TranscriptAdapter) else None
        self._naming = adapter if isinstance(adapter, NamingAdapter) else None
        self._holding = IsolatedOpenFile(self, adapter) if isinstance(adapter, OpenFileAdapter) else None
        self._serving = IsolatedAppServer(self, adapter) if isinstance(adapter, AppServerAdapter) else None

    def _call(self, what: str, call: Callable[[], T], otherwise: T) -> T:
        try:
            return call()
        except Exception as e:  # noqa: BLE001 - isolation: a third party's adapter must not end the daemon
            self.errors += 1
            self.last_error = f"{what}: {type(e).__name__}: {e}"[:500]
            return otherwise

    def _call_or_refuse(self, what: str, call: Callable[[], T], otherwise: T) -> T:
        try:
            return call()
        except ValueError:
            raise
        except Exception as e:  # noqa: BLE001 - see _call
            self.errors += 1
            self.last_error = f"{what}: {type(e).__name__}: {e}"[:500]
            return otherwise

    def session_name(self, title: str, folder: str, status: Mapping[str, Any] | None) -> str | None:
        """See NamingAdapter; None where the adapter raised, or where it names no sessions."""
        naming = self._naming
        if naming is None:
            return None
        return self._call("session_name", lambda: naming.session_name(title, folder, status), None)

    def identify(self, proc: Proc) -> Identity | None:
        """See Adapter; None where the adapter raised."""
        return self._call("identify", lambda: self.adapter.identify(proc), None)

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """See Adapter; a signal without writes where the adapter raised anything but ValueError."""
        return self._call_or_refuse(
            "normalise", lambda: self.adapter.normalise(event, prior), Signal(event_type=event.event_type)
        )

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        """See Adapter; None where the adapter raised. Secrets are removed from the text of a request, because it is
        stored.
        """
        if self._slow >= STRIKES:
            return None
        write = self._call("look", lambda: self._look(sample, before), None)
        if write is None or write.waiting_for is None:
            return write
        asked = write.waiting_for
        subject, text, options = self._redact((asked.subject, asked.text, asked.options))
        clean = replace(asked, subject=subject, text=text, options=tuple(options))
        return replace(write, waiting_for=clean)

    def _look(self, sample: Sample, before: Claim | None) -> Write | None:
        """Read the screen within the time limit. A user's rules that take longer are set aside until they change. An
        adapter that takes longer ``STRIKES`` times is set aside too.
        """
        try:
            return run_within(LOOK_FOR, lambda: self.adapter.look(sample, before))
        except TimeLimitError as error:
            self._slow += 1
            adapter, who = self.adapter, _slow_rule(self.adapter, sample, before)
            if isinstance(adapter, RulesOnlyAdapter):
                self._slow = STRIKES
            elif isinstance(adapter, RuleAdapter) and adapter.rules is not adapter.shipped:
                adapter.rules, self._slow = adapter.shipped, 0
            elif self._slow < STRIKES:
                raise TimeLimitError(f"{who} takes too long on a screen") from error
            raise TimeLimitError(f"{who} takes too long on a screen: not used until its rules change") from error

    @property
    def oldest(self) -> str | None:
        """Return the oldest version of the agent whose screens are known, if the rules name one."""
        return self.adapter.rules.oldest if isinstance(self.adapter, RuleAdapter) else None

    @property
    def newest(self) -> str | None:
        """Return the newest version of the agent that was recorded, if the rules name one."""
        known = self.adapter.rules.recorded_on if isinstance(self.adapter, RuleAdapter) else ()
        return max(known, key=numbers, default=None)

    def reset_failures(self) -> None:
        """Start counting again after rules were read anew: what took too long may be gone."""
        self._slow = 0

    def controls(self) -> Controls | None:
        """See Operable; None where the adapter is none, or raised."""
        adapter = self.adapter
        if not isinstance(adapter, Operable):
            return None
        operable: Operable = adapter
        return self._call("controls", operable.controls, None)

    def key_files(self, config_home: Path) -> Sequence[Path]:
        """See Rebindable; none where the adapter is none, or raised."""
        adapter = self.adapter
        if not isinstance(adapter, Rebindable):
            return ()
        rebindable: Rebindable = adapter
        return self._call("key_files", lambda: rebindable.key_files(config_home), ())

    def key_overrides(self, texts: Sequence[str], argv: Sequence[str]) -> KeyOverrides:
        """See Rebindable; nothing where the adapter is none, or raised."""
        adapter = self.adapter
        if not isinstance(adapter, Rebindable):
            return KeyOverrides()
        rebindable: Rebindable = adapter
        return self._call("rebound", lambda: rebindable.key_overrides(texts, argv), KeyOverrides())

    def transcript_adapter(self) -> TranscriptAdapter | None:
        """Return this adapter, isolated, if its agent writes a transcript. Else None."""
        return self._transcribed

    def open_file_adapter(self) -> OpenFileAdapter | None:
        """Return this adapter, isolated, if its agent's open files name its session. Else None."""
        return self._holding

    def app_server_adapter(self) -> IsolatedAppServer | None:
        """Return this adapter, isolated, if its agent has a server that reports states. Else None."""
        return self._serving

    def status_path(self, proc: Proc, config_home: Path) -> Path | None:
        """See Adapter; None where the adapter raised."""
        return self._call("status_path", lambda: self.adapter.status_path(proc, config_home), None)

    def read_status(self, data: Mapping[str, Any], proc: Proc) -> Sequence[Write]:
        """See Adapter; empty where the adapter raised."""
        return self._call("read_status", lambda: self.adapter.read_status(data, proc), ())

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """See Adapter; ``home`` where the adapter raised."""
        return self._call("config_home", lambda: self.adapter.config_home(env, home), home)

    def ended_in_order(self, ending: Ending) -> bool | None:
        """See Adapter; None where the adapter raised."""
        return self._call("ended_in_order", lambda: self.adapter.ended_in_order(ending), None)

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """See Adapter; empty where the adapter raised anything but ValueError."""
        return self._call_or_refuse(
            "plan_hooks", lambda: self.adapter.plan_hooks(config_home, command, remove=remove), ()
        )

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """See Adapter; empty where the adapter raised anything but ValueError."""
        return self._call_or_refuse("hook_status", lambda: self.adapter.hook_status(config_home, command), ())


class IsolatedTranscript:
    """The part of an isolated adapter that reads transcripts; see TranscriptAdapter."""

    def __init__(self, isolated: IsolatedAdapter, adapter: TranscriptAdapter) -> None:
        self._adapter = adapter
        self._call = isolated._call

    def transcript_path(self, status: Mapping[str, Any], proc: Proc, config_home: Path) -> Path | None:
        """See TranscriptAdapter; None where the adapter raised."""
        return self._call("transcript_path", lambda: self._adapter.transcript_path(status, proc, config_home), None)

    def transcript_tree(self, config_home: Path) -> tuple[Path, int] | None:
        """See TranscriptAdapter; None where the adapter raised."""
        return self._call("transcript_tree", lambda: self._adapter.transcript_tree(config_home), None)

    def read_opening(self, line: Mapping[str, Any]) -> SessionHeader | None:
        """See TranscriptAdapter; None where the adapter raised."""
        return self._call("read_opening", lambda: self._adapter.read_opening(line), None)

    def read_line(self, line: Mapping[str, Any]) -> TranscriptEvent | None:
        """See TranscriptAdapter; None where the adapter raised."""
        return self._call("read_line", lambda: self._adapter.read_line(line), None)

    def last_message(self, lines: Sequence[Mapping[str, Any]]) -> str | None:
        """See TranscriptAdapter; None where the adapter raised."""
        return self._call("last_message", lambda: self._adapter.last_message(lines), None)


class IsolatedOpenFile:
    """The part of an isolated adapter that reads its agent's open files; see OpenFileAdapter."""

    def __init__(self, isolated: IsolatedAdapter, adapter: OpenFileAdapter) -> None:
        self._adapter = adapter
        self._call = isolated._call

    def open_transcripts(self, files: Sequence[str], config_home: Path) -> Sequence[TranscriptOwner]:
        """See OpenFileAdapter; empty where the adapter raised."""
        return self._call("transcripts_held", lambda: self._adapter.open_transcripts(files, config_home), ())


class IsolatedAppServer:
    """The part of an isolated adapter that talks to its agent's server; see AppServerAdapter."""

    def __init__(self, isolated: IsolatedAdapter, adapter: AppServerAdapter) -> None:
        self._adapter = adapter
        self._isolated = isolated

    def server_socket(self, config_home: Path) -> Path | None:
        """See AppServerAdapter; None where the adapter raised."""
        return self._isolated._call("server_socket", lambda: self._adapter.server_socket(config_home), None)

    def converse(self, version: str) -> IsolatedConversation | None:
        """See AppServerAdapter; None where the adapter raised."""
        isolated = self._isolated
        return isolated._call("converse", lambda: IsolatedConversation(isolated, self._adapter.converse(version)), None)


class IsolatedConversation:
    """A conversation of an isolated adapter; see Conversation. ``receive`` passes ValueError on."""

    def __init__(self, isolated: IsolatedAdapter, talk: Conversation) -> None:
        self._talk = talk
        self._isolated = isolated

    @property
    def ready(self) -> bool:
        """See Conversation; False where the adapter raised."""
        return self._isolated._call("ready", lambda: self._talk.ready, False)

    def opening(self) -> Sequence[Mapping[str, Any]]:
        """See Conversation; empty where the adapter raised."""
        return self._isolated._call("opening", self._talk.opening, ())

    def ask_again(self, sessions: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """See Conversation; empty where the adapter raised."""
        return self._isolated._call("ask_again", lambda: self._talk.ask_again(sessions), ())

    def receive(self, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """See Conversation; empty where the adapter raised anything but ValueError."""
        return self._isolated._call_or_refuse("receive", lambda: self._talk.receive(message), ())

    def claim_of(self, session_id: str) -> Write | None:
        """See Conversation; None where the adapter raised."""
        return self._isolated._call("claim_of", lambda: self._talk.claim_of(session_id), None)


def _slow_rule(adapter: Adapter, sample: Sample, before: Claim | None) -> str:
    """Return the name of the rule that is slow on this screen, or of the adapter if no single rule is."""
    if isinstance(adapter, RuleAdapter):
        slow = slow_rule(adapter.rules, sample, before)
        if slow is not None:
            return f"rule {slow}"
    return f"adapter {adapter.name}"
