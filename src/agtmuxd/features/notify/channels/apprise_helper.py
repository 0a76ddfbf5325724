"""Send one message through Apprise. A program of its own: ``python -m …apprise_helper`` with JSON on standard input.

Apprise needs a third of a second and 44 MiB to load, and waits for the network in threads. So the daemon never imports
it. Exit status: 0 delivered to all addresses, 1 not delivered, 2 wrong input, 3 Apprise is not installed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

TYPES = {"error": "failure", "channel": "failure", "completed": "success", "test": "info"}


def main() -> int:
    """Read the message, send it, and return the exit status."""
    try:
        given: dict[str, Any] = json.load(sys.stdin)
        urls, title, body = list(given["urls"]), str(given["title"]), str(given["body"])
    except (ValueError, KeyError, TypeError):
        sys.stderr.write("the input is not a message\n")
        return 2
    try:
        import apprise
    except ImportError:
        sys.stderr.write("it is not installed: install agtmux[apprise]\n")
        return 3
    sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="agtmux", app_desc="agtmux", async_mode=False))
    for number, url in enumerate(urls, 1):
        if not sender.add(url):
            sys.stderr.write(f"address {number} is none that Apprise knows\n")
            return 2
    kind = TYPES.get(str(given.get("kind")), "warning")
    delivered = sender.notify(body=body or title, title=title, notify_type=apprise.NotifyType(kind))
    if not delivered:
        sys.stderr.write("Apprise could not deliver it\n")
    return 0 if delivered else 1


if __name__ == "__main__":
    sys.exit(main())
