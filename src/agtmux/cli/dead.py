"""List messages that could not be delivered, and try them again (``agtmux dead``)."""

from __future__ import annotations

import click

from agtmux.cli import message_text
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agtmux.client import Client

STATES = "dead,submitted_unconfirmed"


@click.group("dead")
def dead_group() -> None:
    """Manage messages that could not be delivered, or perhaps not.

    \b
    Example:
      agtmux dead list
    """


@dead_group.command("list", short_help="List deliveries that failed.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List deliveries that failed, and those that perhaps did.

    The latter were typed, but nothing shows that the agent took them.

    \b
    Example:
      agtmux dead list
    """
    answer = app.client().deliveries({"state": STATES})
    if as_json:
        write_body(answer.body)
        return
    items = answer.json()["items"]
    if items:
        message_text.show(app, "message deliveries", items)
    else:
        click.echo("no delivery failed")


@dead_group.command(short_help="Show the message of a failed delivery.")
@click.argument("delivery_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def show(app: App, delivery_id: str, as_json: bool) -> None:
    """Show the message of a failed delivery.

    ID is the id of a delivery, from agtmux dead list.

    \b
    Example:
      agtmux dead show 0195a3f2-7c1e-7d11-9b1f-0a2b3c4d5e6f
    """
    client = app.client()
    answer = client.show_message(_message_of(client, delivery_id))
    message_text.print_message(answer, as_json=as_json)


@dead_group.command(short_help="Send a message that failed once more.")
@click.argument("delivery_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def retry(app: App, delivery_id: str, as_json: bool) -> None:
    """Send a message that failed once more.

    It is one try, when the agent can take input.

    Look at the pane first if it was typed already. It would be typed twice.

    \b
    Example:
      agtmux dead retry 0195a3f2-7c1e-7d11-9b1f-0a2b3c4d5e6f
    """
    _change(app, delivery_id, "retry", as_json)


@dead_group.command(short_help="Remove a failed delivery from the list.")
@click.argument("delivery_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def drop(app: App, delivery_id: str, as_json: bool) -> None:
    """Remove a failed delivery from the list.

    The message stays in the outbox of its sender.

    \b
    Example:
      agtmux dead drop 0195a3f2-7c1e-7d11-9b1f-0a2b3c4d5e6f
    """
    _change(app, delivery_id, "drop", as_json)


def _change(app: App, delivery_id: str, verb: str, as_json: bool) -> None:
    answer = app.client().change_delivery(delivery_id, verb, {"request_ref": uuid7()})
    if as_json:
        write_body(answer.body)
    else:
        click.echo(f"the delivery is {clean(answer.json()['item']['state'])} now")


def _message_of(client: Client, delivery_id: str) -> str:
    """Return the message of a delivery that failed. Raises E_NOT_FOUND."""
    for item in client.deliveries({"state": STATES, "limit": "500"}).json()["items"]:
        if item["delivery_id"] == delivery_id:
            return str(item["message_id"])
    raise AgtmuxError("E_NOT_FOUND", f"no failed delivery has the id {delivery_id[:64]!r}: agtmux dead list shows them")
