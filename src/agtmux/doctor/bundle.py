"""Collect what somebody who helps needs into one archive, and leave out what is yours.

Fails closed: of texts that may hold anything, only known kinds are kept. There is no text of a pane, no prompt and no
secret in it: of settings only switches, numbers and known words; of log lines only the message and known fields.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import sys
import tarfile
import time

from agtmux import __version__
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.redact import redact_text
from agtmux.protocol.regular import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Report

LEFT_OUT = "[left out]"
LOG_BYTES = 256 << 10
"""Bytes of the log's end that are read."""

_WORDS = frozenset(
    {"log_level", "log_format", "kind", "preset", "body", "on", "name", "agents", "targets", "channels", "quiet_hours"}
)
"""Settings whose texts are kept: they choose among known words, or name things of agtmux."""
_TEXTS = frozenset(
    {
        "schema_version", "generated_at", "status", "version", "stream_id", "name", "agent_type", "contract_version",
        "oldest_version", "newest_version", "target", "target_id", "kind", "health", "health_since", "reason", "since",
        "last_seen_at", "tmux_version", "socket", "database", "config", "service", "ssh_auth_sock", "tmux_tmpdir",
        "path",
    }
)  # fmt: skip
"""Fields of health whose texts are kept."""
_FIELDS = frozenset(
    {
        "level", "timestamp", "event", "logger", "pid", "version", "socket", "target", "reason", "health", "seconds",
        "days", "bytes", "most", "operations", "actions", "action_id", "feature", "adapter", "subscriber", "kind",
        "code", "pane", "runtime",
    }
)  # fmt: skip
"""Fields of log lines that are kept."""
_FREE = frozenset({"adapter", "channel", "error", "failed", "not_loaded", "unread_pane", "unreadable", "wrong"})
"""Codes of findings that quote an error. Only its beginning is kept, up to the first colon."""
_TEXT_LINE = re.compile(r"^(\d{4}-\d\d-\d\dT[\d:.]+Z) \[(\w+)\s*\] (.*)$")
_PAIR = re.compile(r"(\w+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+)")
_FRAME = re.compile(r'^\s+File "([^"]+)", line (\d+), in (\S+)$')
_RAISED = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Group|Timeout|Exit|Interrupt))\b")


def write(path: str, report: Report, facts: Facts) -> list[tuple[str, int]]:
    """Write the archive with mode 0600. Return the name and size of each file in it.

    Raises E_INVALID_REQUEST if ``path`` exists or cannot be made.
    """
    files = contents(report, facts)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise AgtmuxError("E_INVALID_REQUEST", f"{path} exists already: choose another name") from None
    except OSError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"cannot write {path}: {error.strerror}") from None
    try:
        with open(fd, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as archive:
            for name, text in files.items():
                data = text.encode("utf-8", "replace")
                entry = tarfile.TarInfo(f"agtmux-doctor/{name}")
                entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
                archive.addfile(entry, io.BytesIO(data))
    except BaseException:
        os.unlink(path)
        raise
    return [(name, len(text.encode("utf-8", "replace"))) for name, text in files.items()]


def contents(report: Report, facts: Facts) -> dict[str, str]:
    """Return the files of the archive by name."""
    files = {
        "doctor.json": _json(_without_quotes(report.as_json())),
        "versions.json": _json(_versions(facts)),
    }
    if facts.health is not None:
        files["health.json"] = _json(kept(facts.health, _TEXTS))
    config = _config(facts)
    if config is not None:
        files["config.json"] = _json(config)
    lines = log_lines(_log_end(facts))
    if lines:
        files["log.txt"] = "\n".join(lines) + "\n"
    return {name: private(text) for name, text in files.items()}


def _without_quotes(report: dict[str, Any]) -> dict[str, Any]:
    """Return the report without the texts of errors that it quotes: they may hold anything."""
    for check in report["checks"]:
        for finding in check["findings"]:
            if finding["code"] in _FREE:
                finding["text"] = f"{finding['text'].partition(':')[0][:80]}: {LEFT_OUT}"
    return report


def kept(value: Any, words: frozenset[str], key: str = "") -> Any:
    """Return a JSON value with its numbers, switches and nulls, and those texts whose key is one of ``words``."""
    if isinstance(value, dict):
        return {name: kept(one, words, str(name)) for name, one in value.items()}
    if isinstance(value, list):
        return [kept(one, words, key) for one in value]
    if isinstance(value, str):
        return redact_text(value) if key in words else LEFT_OUT
    return value


def private(text: str) -> str:
    """Return ``text`` without secrets and without the names of this user and home folder."""
    home = os.path.expanduser("~")
    if len(home) > 1:
        text = re.sub(rf"{re.escape(home)}(?![\w-])", "~", text)
    user = os.environ.get("USER", "")
    if len(user) > 2 and user != "root":
        text = re.sub(rf"(?<![\w-]){re.escape(user)}(?![\w-])", "USER", text)
    return redact_text(text)


def log_lines(text: str) -> list[str]:
    """Return the lines of a log with the message and the known fields only. Of a traceback: the places and the kind."""
    out = []
    for line in text.splitlines():
        found = _TEXT_LINE.match(line)
        if line.startswith("{"):
            out.append(_json_line(line))
        elif found is not None:
            message = _PAIR.split(found[3])[0].strip()
            pairs = [f"{key}={value}" for key, value in _PAIR.findall(found[3]) if key in _FIELDS]
            out.append(" ".join([f"{found[1]} [{found[2]}]", message, *pairs]))
        elif (frame := _FRAME.match(line)) is not None:
            out.append(f"  {os.path.basename(frame[1])}:{frame[2]} {frame[3]}")
        elif (raised := _RAISED.match(line)) is not None:
            out.append(f"  {raised[1]}")
    return [line for line in out if line]


def _json_line(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(entry, dict):
        return ""
    short = {key: value for key, value in entry.items() if key in _FIELDS and not isinstance(value, (dict, list))}
    frames = log_lines(str(entry.get("exception") or ""))
    return json.dumps(short | ({"exception": frames} if frames else {}), ensure_ascii=False)


def _versions(facts: Facts) -> dict[str, Any]:
    from agtmux.doctor import tmux

    program = tmux.find(facts)
    return {
        "agtmux": __version__,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "tmux": facts.run([program, "-V"]).out.strip() if program else None,
        "ssh": facts.run(["ssh", "-V"]).error.strip() or None,
        "service": facts.service.words if facts.service is not None and facts.service.installed else None,
        "agtmux_variables": sorted(name for name in facts.environ if name.startswith("AGTMUX_")),
    }


def _config(facts: Facts) -> Mapping[str, Any] | None:
    """Return the settings in effect, or those in the file if no daemon answers. None if there are none to read."""
    import tomllib

    if facts.client is not None:
        try:
            return {"in_effect": kept(facts.client.config().json().get("config"), _WORDS)}
        except AgtmuxError:
            pass
    try:
        with open(open_regular(paths.config_file()), "rb") as file:
            return {"file": kept(tomllib.loads(file.read(1 << 20).decode()), _WORDS)}
    except (OSError, ValueError):
        return None


def _log_end(facts: Facts) -> str:
    """Return the end of the daemon's log: of its file, or of the journal where systemd runs it."""
    service = facts.service
    if service is not None and service.kind == "systemd" and service.active:
        argv = ["journalctl", "--user", "-u", "agtmuxd.service", "-n", "1000", "-o", "cat", "--no-pager"]
        return facts.run(argv, 5.0).out
    try:
        with open(open_regular(paths.log_path()), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            return file.read(LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"
