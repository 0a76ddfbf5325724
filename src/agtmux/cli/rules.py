"""Try the screen rules on their samples (``agtmux rules check``). Owns its wording."""

from __future__ import annotations

import os

import click

from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any


@click.group("rules")
def rules_group() -> None:
    """Check the screen rules against their samples.

    Each agent has a rules file. Your own go into the folder "rules" beside the configuration.

    \b
    Example:
      agtmux rules check --agent claude
    """


@rules_group.command(short_help="Check every rule against its sample.")
@click.option("--agent", "agents", multiple=True, metavar="AGENT", help="Check only this agent's rules; repeatable.")
@click.option(
    "--corpus", type=click.Path(exists=True, file_okay=False), help="Use the recordings in this folder (tests/corpus)."
)
@click.option("--all", "every", is_flag=True, help="Also show rules that hold and rules without a sample.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def check(app: App, agents: tuple[str, ...], corpus: str | None, every: bool, as_json: bool) -> None:
    """Check every rule against its sample.

    Exit status 1 if a rule does not hold or a file is wrong. The samples of your own rules lie beside them. Most
    shipped rules need recordings that come only with agtmux's source: without --corpus these rules are skipped.

    \b
    Examples:
      agtmux rules check
      agtmux rules check --agent claude --corpus tests/corpus --all
    """
    request: dict[str, object] = {}
    if agents:
        request["agents"] = list(agents)
    if corpus:
        request["corpus"] = os.path.abspath(corpus)
    reply = app.client(timeout=60.0).check_rules(request)
    items = reply.json().get("items") or ()
    if as_json:
        write_body(reply.body)
    else:
        for item in items:
            for line in rule_lines(item, every=every):
                click.echo(line)
        for line in left_out(items):
            app.say(line)
    if any(item.get("error") or any(rule.get("ok") is False for rule in item["rules"]) for item in items):
        click.get_current_context().exit(1)


def left_out(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what was not tried because recordings are missing, and what was tried. Nothing if all recordings
    are here.
    """
    away = sum(is_for_corpus(rule) for item in items for rule in item["rules"])
    if not away:
        return
    own = sum(rule.get("ok") is not None for item in items if item.get("rules_file") for rule in item["rules"])
    yield (
        f"{away} rules were skipped: their recordings come only with agtmux's source, in tests/corpus;"
        " use --corpus FOLDER to check them"
    )
    if own:
        yield f"samples beside your own rules: {own} checked"


def is_for_corpus(rule: Mapping[str, Any]) -> bool:
    """Return whether a rule was not tried because its recording is not here."""
    return rule.get("ok") is None and "--corpus" in str(rule.get("message"))


def rule_lines(item: Mapping[str, Any], *, every: bool) -> Iterator[str]:
    """Yield one agent's rules line by line, safe for a terminal."""
    name = clean(item.get("agent"))
    if item.get("error"):
        yield f"{name}: {clean(item['error'])}"
        return
    rules = item.get("rules") or ()
    proven = sum(1 for rule in rules if rule.get("ok"))
    broken = sum(1 for rule in rules if rule.get("ok") is False)
    away = sum(is_for_corpus(rule) for rule in rules)
    bare = len(rules) - proven - broken - away
    where = f" of {clean(item['rules_file'])}" if item.get("rules_file") else ""
    tried = [f"{proven} hold", f"{broken} do not"] if proven or broken or not away else []
    tried += [f"{bare} without a sample"] if bare else []
    tried += [f"{away} skipped: their recordings are not installed"] if away else []
    yield f"{name}: {len(rules)} rules{where}, {', '.join(tried)}"
    for rule in rules:
        if every or rule.get("ok") is False:
            mark = {True: "holds", False: "WRONG"}.get(rule.get("ok"), "-")
            yield f"  {mark:5} {clean(rule.get('rule'))} → {clean(rule.get('claim'))}: {clean(rule.get('message'))}"
