"""A stand-in for an agent: run by an interpreter that is called ``claude``, it does what a test tells it to.

It draws what it is told, sets its title, and calls hooks as its children, as a real agent does. Commands come over a
Unix socket (its only argument), one JSON object per line, each answered by one. Standard library only.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys


def obey(command: dict[str, object]) -> dict[str, object]:
    """Do one thing; what came of it."""
    if "draw" in command:
        sys.stdout.write("\033[2J\033[H" + str(command["draw"]).replace("\n", "\r\n"))
    if "title" in command:
        sys.stdout.write(f"\033]2;{command['title']}\033\\")
    sys.stdout.flush()
    hook = command.get("hook")
    if not isinstance(hook, dict):
        return {"pid": os.getpid()}
    done = subprocess.run(
        hook["argv"], input=json.dumps(hook["payload"]).encode(), capture_output=True, check=False,
        env={**os.environ, **hook["env"]},
    )  # fmt: skip
    return {"status": done.returncode, "out": (done.stdout + done.stderr).decode("utf-8", "replace")}


def main() -> None:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(sys.argv[1])
    server.listen()
    while True:
        peer, _ = server.accept()
        with peer, peer.makefile("rwb") as line:
            for raw in line:
                command = json.loads(raw)
                if "exit" in command:
                    os._exit(int(command["exit"]))
                line.write(json.dumps(obey(command)).encode() + b"\n")
                line.flush()


if __name__ == "__main__":
    main()
