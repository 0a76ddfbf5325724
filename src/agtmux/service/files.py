"""Write the texts of the service files, and read from them what they start. Pure."""

from __future__ import annotations

import plistlib
import re

from agtmux.protocol.errors import AgtmuxError
from agtmux.written_files import mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_UNIT, SERVICE_UNIT = "agtmuxd.socket", "agtmuxd.service"
LABEL = "io.agtmux.daemon"

_BY = "agtmux daemon install"
_HOW = "Put changes into a drop-in: systemctl --user edit {name}"

_SOCKET = """\
[Unit]
Description=Socket of agtmux

[Socket]
ListenStream={listen}
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=no

[Install]
WantedBy=sockets.target
"""

_SERVICE = """\
[Unit]
Description=agtmux: supervises coding agents in tmux
Requires=agtmuxd.socket
After=agtmuxd.socket
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=exec
ExecStart={program} --log-format json
{environment}Restart=on-failure
RestartSec=2
KillMode=process
TimeoutStopSec=10
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
MemoryHigh=512M
TasksMax=256

[Install]
WantedBy=default.target
"""


def socket_unit(listen: str) -> str:
    """Return ``agtmuxd.socket``. ``listen``: the socket's path; ``%t`` in it stands for the runtime folder."""
    if not listen.startswith("%t/"):
        listen = _plain(listen).replace("%", "%%")
    return _marked(SOCKET_UNIT, _SOCKET.format(listen=listen))


def service_unit(program: str, environment: Mapping[str, str]) -> str:
    """Return ``agtmuxd.service``. ``program``: the absolute path of agtmuxd. ``environment``: what it needs besides."""
    lines = "".join(f"Environment={_word(f'{name}={value}')}\n" for name, value in sorted(environment.items()))
    text = _SERVICE.format(program=_word(program).replace("$", "$$"), environment=lines)
    return _marked(SERVICE_UNIT, text)


def launch_agent(program: str, log: str, environment: Mapping[str, str]) -> str:
    """Return the property list of the launchd agent. ``log``: the file that it logs to."""
    usual = {
        "LANG": "en_US.UTF-8",
        "PATH": "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    }
    content = {
        "Label": LABEL,
        "ProgramArguments": [program, "--log-format", "json"],
        "EnvironmentVariables": {**usual, **environment},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},  # plain true would start it again after agtmux daemon stop
        "ThrottleInterval": 10,
        "ProcessType": "Adaptive",  # Background would slow its reads and timers
        "LimitLoadToSessionType": ["Aqua", "Background"],
        "StandardOutPath": log,
        "StandardErrorPath": log,
        "Umask": 0o077,
    }
    return mark(plistlib.dumps(content).decode(), _BY, after=1, xml=True)


def program_in(text: str) -> str | None:
    """Return the program that a service file starts. None if it names none."""
    if text.lstrip().startswith("<?xml"):
        try:
            words = plistlib.loads(text.encode()).get("ProgramArguments") or [None]
        except Exception:  # noqa: BLE001 a file that somebody edited: expat and plistlib raise many errors
            return None
        return words[0] if isinstance(words[0], str) else None
    found = re.search(r'^ExecStart=(?:"((?:[^"\\]|\\.)*)"|(\S+))', text, re.M)
    if found is None:
        return None
    word = found[2] if found[1] is None else re.sub(r"\\(.)", r"\1", found[1])
    return word.replace("%%", "%").replace("$$", "$")


def listen_in(text: str, runtime: str) -> str | None:
    """Return the socket's path in a socket unit. ``runtime``: the folder that ``%t`` stands for."""
    found = re.search(r"^ListenStream=(.+)$", text, re.M)
    if found is None:
        return None
    path = found[1].strip()
    return f"{runtime}/{path[3:]}" if path.startswith("%t/") else path.replace("%%", "%")


def _marked(name: str, text: str) -> str:
    return mark(text, _BY, _HOW.format(name=name))


def _word(text: str) -> str:
    """Quote one word of a unit file."""
    plain = _plain(text).replace("%", "%%")
    if re.fullmatch(r"[\w@%+=:,./-]+", plain, re.A):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(text: str) -> str:
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise AgtmuxError("E_INVALID_REQUEST", f"{text!r} has a control character: agtmux cannot use such a path")
    return text
