"""Show the rules of who may do what (``agtmux policy``). Rules are written into the configuration, never from here."""

from __future__ import annotations

import click

from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.render import clean

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")


@click.group("policy")
def policy_group() -> None:
    """Show the rules of who may do what, and check them.

    Rules stand in [[policies]] of the configuration. After a change run agtmux daemon reload.

    \b
    Examples:
      agtmux policy list
      agtmux policy test agent:builder act.send target:host
    """


@policy_group.command("list")
@_JSON
@shared()
@pass_app
def list_rules(app: App, as_json: bool) -> None:
    """List the rules in effect.

    \b
    Example:
      agtmux policy list
    """
    reply = app.client().policies()
    if as_json:
        write_body(reply.body)
        return
    items = reply.json().get("items") or []
    for one in items:
        click.echo(" ".join(clean(one[key]) for key in ("rule", "effect", "subject", "verb", "object")))
    if not items:
        app.say("there are no rules: agents may not act, people may do everything")


@policy_group.command("test")
@click.argument("subject")
@click.argument("verb")
@click.argument("object_", metavar="OBJECT", default="*")
@_JSON
@shared()
@pass_app
def test_rules(app: App, subject: str, verb: str, object_: str, as_json: bool) -> None:
    """Check what the rules decide, and show the rule that decides.

    SUBJECT is agent:NAME, team:NAME, uid:NUMBER, device:NAME or person. OBJECT is target:NAME, agent:NAME, topic:NAME,
    or several of them with commas: a pane is target:NAME,agent:NAME.

    \b
    Examples:
      agtmux policy test agent:builder act.send target:host
      agtmux policy test agent:builder signal topic:team/web/built
    """
    reply = app.client().test_policy({"subject": subject, "verb": verb, "object": object_})
    if as_json:
        write_body(reply.body)
        return
    body = reply.json()
    rule = "no rule fits" if body["text"] is None else f"{body['rule']}: {body['text']}"
    below = f"; topics below {body['topics_below']} are allowed" if body.get("topics_below") else ""
    click.echo(f"{'allowed' if body['allowed'] else 'denied'} ({clean(rule)}{clean(below, '')})")
