"""Hold paths of a repository and names, so that agents do not get in each other's way (``agtmux lease``).

Owns how people name leases: paths are patterns from the current folder, names are given with ``--name``. The daemon
decides everything.
"""

from __future__ import annotations

import json
import time

import click

from agtmux.cli import git_repo
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.client import uuid7
from agtmux.protocol.duration import seconds_of
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from agtmux.client import Client, Reply

    F = TypeVar("F", bound=Callable[..., Any])

    Item = dict[str, Any]

_TRY_AGAIN = 30.0
"""Seconds after which a waiting command tries again, also if it heard of no change."""


@click.group("lease")
def lease_group() -> None:
    """Manage leases: paths and names that one agent or person holds at a time.

    A lease ends by itself: after its time, or when its agent has ended.

    \b
    Examples:
      agtmux lease acquire src/api 'docs/*.md'
      agtmux lease acquire --name staging-db --ttl 10m
      agtmux lease list
    """


def _wanted(function: F) -> F:
    """Add the arguments that say what to hold."""
    for decorate in (
        click.argument("paths", nargs=-1, metavar="[PATH]..."),
        click.option("-n", "--name", "names", multiple=True, metavar="NAME", help="Hold a name instead of a path."),
        click.option("--shared", is_flag=True, help="Let others hold the same paths with --shared too."),
        click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged."),
    ):
        function = decorate(function)
    return function


@lease_group.command()
@_wanted
@click.option("--ttl", metavar="D", help="Hold this long: 30s to 8h (default: paths 1h, names 5m).")
@click.option("--capacity", type=click.IntRange(1, 1000), help="Let so many hold the name at once (default: 1).")
@click.option("--advisory", is_flag=True, help="Only note it: conflicts are not refused, and others only warned.")
@click.option("--reason", metavar="TEXT", help="Say what it is for. Others see it.")
@click.option("--wait", "waits", is_flag=True, help="Wait until it is free.")
@click.option("--timeout", metavar="D", help="Wait at most this long: 30s, 10m (default: no limit).")
@shared()
@pass_app
def acquire(
    app: App,
    paths: tuple[str, ...],
    names: tuple[str, ...],
    shared: bool,
    as_json: bool,
    ttl: str | None,
    capacity: int | None,
    advisory: bool,
    reason: str | None,
    waits: bool,
    timeout: str | None,
) -> None:
    """Acquire paths or names, so that no other agent may hold them.

    All of them are granted, or none. PATH is a file, a folder or a pattern with *, **, ? and [a-z]. An agent's lease is
    renewed while the agent runs. Yours ends after --ttl.

    \b
    Examples:
      agtmux lease acquire 'src/**/*.py' docs
      agtmux lease acquire --name build-slot --capacity 2 --wait --timeout 10m
    """
    request = _request(paths, names, shared)
    request |= {"ttl_s": _seconds(ttl, "--ttl"), "capacity": capacity, "advisory": advisory, "reason": reason}
    request["request_ref"] = uuid7()
    client = app.client()
    if timeout is not None and not waits:
        raise click.UsageError("--timeout needs --wait")
    reply = _waiting(app, client, request, _seconds(timeout, "--timeout")) if waits else client.acquire_lease(request)
    if as_json:
        write_body(reply.body)
        return
    for item in reply.json()["items"]:
        click.echo(f"held: {_line(item)}")


def _waiting(app: App, client: Client, request: dict[str, object], limit: float | None) -> Reply:
    """Acquire it as soon as it is free. The stream is opened before each try, so no change is missed."""
    deadline = None if limit is None else time.monotonic() + limit
    noted = False
    while True:
        with client.watch({"scope": "coord"}) as changes:
            changes.line()  # the snapshot: from here on nothing is missed
            try:
                return client.acquire_lease(request)
            except AgtmuxError as error:
                if error.code != "E_LEASE_CONFLICT":
                    raise
                if not noted:
                    app.say(f"{error.message.partition(': wait for it')[0]}; waiting")
                    noted = True
                conflict = error
            until = time.monotonic() + _TRY_AGAIN
            while (left := min(until, deadline or until) - time.monotonic()) > 0:
                if changes.wait(left):
                    line = changes.line()
                    if line is None or b'"kind":"lease"' in line:
                        break
        if deadline is not None and time.monotonic() >= deadline:
            text = f"it did not become free in {limit:g} s: {conflict.message}"
            raise AgtmuxError("E_TIMEOUT", text, conflict.details)


@lease_group.command()
@_wanted
@click.option("--capacity", type=click.IntRange(1, 1000), hidden=True, help="Ask for this capacity.")
@shared()
@pass_app
def check(
    app: App, paths: tuple[str, ...], names: tuple[str, ...], shared: bool, as_json: bool, capacity: int | None
) -> None:
    """Check whether you could hold paths or names now. Changes nothing.

    Exit status 5: one of them is held.

    \b
    Example:
      agtmux lease check src/api --name staging-db
    """
    reply = app.client().check_lease(_request(paths, names, shared) | {"capacity": capacity})
    body = reply.json()
    if as_json:
        write_body(reply.body)
    else:
        for item in body["conflicts"]:
            click.echo(f"held by {clean(item['holder'])}: {_line(item)}")
        if body["free"]:
            click.echo("free")
    if not body["free"]:
        raise click.exceptions.Exit(5)


@lease_group.command("list")
@click.option("--mine", is_flag=True, help="List only your own leases.")
@click.option("--all", "ended", is_flag=True, help="List also those that ended in the last days.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def list_leases(app: App, mine: bool, ended: bool, as_json: bool) -> None:
    """List leases, newest first.

    \b
    Example:
      agtmux lease list --mine
    """
    reply = app.client().leases({"mine": "true" if mine else None, "all": "true" if ended else None})
    if as_json:
        write_body(reply.body)
        return
    for item in reply.json()["items"]:
        click.echo(f"{clean(item['holder'])}  {_line(item)}")


@lease_group.command()
@click.argument("what")
@click.option("--json", "as_json", is_flag=True, help="Print the lease as JSON.")
@shared()
@pass_app
def show(app: App, what: str, as_json: bool) -> None:
    """Show one lease by its id, path or name.

    \b
    Example:
      agtmux lease show staging-db
    """
    client = app.client()
    found = client.leases({"lease": what}).json()["items"] or _matching(client.leases().json()["items"], what)
    item = _one(found, what, "there is no such lease")
    if as_json:
        write_body(json.dumps(item, ensure_ascii=False).encode())
        return
    for name, value in item.items():
        if value is not None:
            click.echo(f"{name}: {clean(str(value))}")


@lease_group.command()
@click.argument("whats", nargs=-1, metavar="[WHAT]...")
@click.option("--all", "every", is_flag=True, help="Release all that you hold.")
@click.option("--fence", type=click.IntRange(min=1), help="Release only the lease with this fence, also of an agent.")
@click.option("--json", "as_json", is_flag=True, help="Print the released leases as JSON.")
@shared()
@pass_app
def release(app: App, whats: tuple[str, ...], every: bool, fence: int | None, as_json: bool) -> None:
    """Release leases that you hold.

    WHAT is the path or name that you gave, or the lease's id. A person may release the lease of an agent: give its id
    and --fence.

    \b
    Examples:
      agtmux lease release src/api
      agtmux lease release --all
    """
    if bool(whats) == every:
        raise click.UsageError("give what to release, or --all")
    client = app.client()
    items = _own(client, whats, fence) if whats else client.leases({"mine": "true"}).json()["items"]
    ended = []
    for item in items:
        request = {"request_ref": uuid7(), "fence": fence or item["fence"]}
        ended.append(client.release_lease(item["lease_id"], request).json()["item"])
        if not as_json:
            click.echo(f"released: {clean(ended[-1]['pattern'] or ended[-1]['name'])}")
    if as_json:
        write_body(json.dumps({"items": ended}, ensure_ascii=False).encode())
    elif not items:
        click.echo("you hold nothing")


@lease_group.command()
@click.argument("what")
@click.option("--ttl", metavar="D", help="Hold it this long from now: 30s to 8h (default: as before).")
@click.option("--fence", type=click.IntRange(min=1), help="Renew it only if it still has this fence.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def renew(app: App, what: str, ttl: str | None, fence: int | None, as_json: bool) -> None:
    """Renew a lease that you hold.

    \b
    Example:
      agtmux lease renew staging-db --ttl 30m
    """
    client = app.client()
    (item,) = _own(client, (what,), fence)
    request = {"request_ref": uuid7(), "fence": fence or item["fence"], "ttl_s": _seconds(ttl, "--ttl")}
    reply = client.renew_lease(item["lease_id"], request)
    if as_json:
        write_body(reply.body)
    else:
        click.echo(f"held: {_line(reply.json()['item'])}")


@lease_group.command()
@click.argument("lease_id", metavar="ID")
@click.option("--expected-fence", type=click.IntRange(min=1), required=True, help="Take it only with this fence.")
@click.option("--ttl", metavar="D", help="Hold it this long: 30s to 8h (default: as its holder).")
@click.option("--reason", metavar="TEXT", help="Say what it is for. Others see it.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def take(app: App, lease_id: str, expected_fence: int, ttl: str | None, reason: str | None, as_json: bool) -> None:
    """Take a lease over from its holder.

    An agent may do so only if the holder has ended. A person always may. What else the holder has there and overlaps
    with it is taken over too.

    \b
    Example:
      agtmux lease take 0198… --expected-fence 1796000042
    """
    request = {"request_ref": uuid7(), "expected_fence": expected_fence, "ttl_s": _seconds(ttl, "--ttl")}
    reply = app.client().take_lease(lease_id, {**request, "reason": reason})
    if as_json:
        write_body(reply.body)
        return
    for item in reply.json()["items"]:
        click.echo(f"taken from {clean(reply.json()['taken_from'])}: {_line(item)}")


# ---------------------------------------------------------------- what was given


def _request(paths: Sequence[str], names: Sequence[str], shared: bool) -> dict[str, object]:
    if not paths and not names:
        raise click.UsageError("give paths, or --name NAME")
    request: dict[str, object] = {"names": list(names), "mode": "shared" if shared else "exclusive"}
    if paths:
        repo = git_repo.required()
        request |= {"repo": git_repo.body(repo), "paths": [git_repo.pattern(path, repo) for path in paths]}
    return request


def _seconds(span: str | None, option: str) -> float | None:
    found = None if span is None else seconds_of(span)
    if span is not None and found is None:
        raise click.UsageError(f"{option}: {span!r} is not a duration like 30s, 10m or 2h")
    return found


def _own(client: Client, whats: Sequence[str], fence: int | None) -> list[Item]:
    """Return the caller's leases that these words name. With a fence an id may name a lease of anybody."""
    mine = client.leases({"mine": "true"}).json()["items"]
    found = []
    for what in whats:
        fits = _matching(mine, what)
        if not fits and fence is not None:
            fits = client.leases({"lease": what}).json()["items"]
        found.append(_one(fits, what, "you hold no such lease"))
    return found


def _matching(items: Sequence[Item], what: str) -> list[Item]:
    """Return the items with this id, name in any case of letters, or path from here."""
    found = [one for one in items if what == one["lease_id"] or what.lower() == str(one["name"] or "").lower()]
    repo = None if found else git_repo.find()
    if repo is None:
        return found
    wanted, folder = git_repo.pattern(what, repo), git_repo.body(repo)["git_dir"]
    texts = {wanted, wanted.removeprefix("./"), wanted.rstrip("/"), wanted.rstrip("/") + "/**"}
    return [one for one in items if one["git_dir"] == folder and one["pattern"] in texts]


def _one(found: Sequence[Item], what: str, missing: str) -> Item:
    if not found:
        raise AgtmuxError("E_NOT_FOUND", f"{missing}: {what[:80]!r}; see agtmux lease list")
    if len(found) > 1:
        ids = ", ".join(one["lease_id"] for one in found)
        raise AgtmuxError("E_REF_AMBIGUOUS", f"{what[:80]!r} names {len(found)} leases: give an id of {ids}")
    return found[0]


def _line(item: Item) -> str:
    """Write a lease on one line, without its holder."""
    marks = [mark for mark in (item["mode"], item["state"]) if mark not in ("exclusive", "active")]
    marks += ["advisory"] if item["advisory"] else []
    what = clean(item["pattern"] if item["pattern"] is not None else item["name"])
    more = f" ({', '.join(marks)})" if marks else ""
    why = f"  {clean(item['reason'])}" if item["reason"] else ""
    return f"{what}{more}  until {clean(item['expires_at'])}  fence {item['fence']}  {item['lease_id']}{why}"
