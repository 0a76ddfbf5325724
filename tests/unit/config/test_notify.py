"""What the section [notify] takes and refuses: a wrong line names file, line, key, and the key that may be meant."""

from __future__ import annotations

from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.config import ChannelSettings, parse

pytestmark = pytest.mark.tc("TC-411")
DESK = '[[notify.channels]]\nname = "desk"\nkind = "desktop"\n'


def wrong(text: str) -> str:
    with pytest.raises(AgtmuxError) as caught:
        parse(text, "c.toml")
    assert caught.value.code == "E_INVALID_REQUEST"
    return caught.value.message


def channel(more: str) -> str:
    return wrong(f'{DESK}\n[[notify.channels]]\nname = "a"\n{more}')


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('kid = "ntfy"', "c.toml, line 7: notify.channels[1].kid: unknown setting (did you mean kind?)"),
        ('kind = "ntfi"', "line 7: notify.channels[1].kind: Input should be 'desktop'"),
        ('kind = "ntfy"', "line 5: notify.channels[1]: url is missing: a channel of kind ntfy needs it"),
        ('kind = "command"', "argv is missing: a channel of kind command needs it"),
        ('kind = "webhook"', "url is missing: a webhook needs it"),
        ('kind = "webhook"\npreset = "slack"', "url is missing: this channel needs it, or a secret_file that holds it"),
        ('kind = "desktop"\nurl = "https://x.example"', "url is not for kind desktop: only apprise, ntfy, webhook"),
        ('kind = "ntfy"\nurl = "http://ntfy.sh/t"', "expected https"),
        ('kind = "ntfy"\nurl = "ftp://ntfy.sh/t"', "expected an address like https://ntfy.sh/my-topic"),
        ('kind = "ntfy"\nurl = "https://me:pw@ntfy.sh/t"', "a password in an address is not allowed"),
        ('kind = "ntfy"\nurl = "https://ntfy.sh/t"\nactions = true', 'actions needs body = "full"'),
        ('kind = "command"\nargv = []', "line 8: notify.channels[1].argv"),
    ],
)
def test_a_wrong_channel_is_named(more: str, message: str) -> None:
    assert message in channel(more)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('channels = ["dsk"]', "rule 1 names the channel dsk, which does not exist (did you mean desk?)"),
        ('on = ["errors"]', "line 5: notify.rules[0].on[0]: Input should be 'waiting_approval'"),
        ('dwel = "2s"', "line 5: notify.rules[0].dwel: unknown setting (did you mean dwell?)"),
        ('dwell = "2 parsecs"', "line 5: notify.rules[0].dwell: '2 parsecs' is not a duration"),
        ('cooldown = "90d"', "line 5: notify.rules[0].cooldown"),
        ('quiet_hours = "22-07"', 'line 5: notify.rules[0].quiet_hours: expected hours like "22:00-07:00"'),
        ('quiet_hours = "22:00-07:00 Mars/Olympus"', "Mars/Olympus is not a time zone that this machine knows"),
    ],
)
def test_a_wrong_rule_is_named(rule: str, message: str) -> None:
    assert message in wrong(f"{DESK}[[notify.rules]]\n{rule}\n")


def test_names_are_unique_and_quiet_hours_have_two_ends() -> None:
    assert "the name desk is used twice" in wrong(DESK + DESK)
    assert "line 2: notify.quiet_hours" in wrong('[notify]\nquiet_hours = "22:00-22:00"\n')


@pytest.mark.parametrize("url", ["http://box.example", "https://box.example/?x=1", "https://box.example/#x", "box"])
def test_the_public_address_is_https_and_plain(url: str) -> None:
    assert "expected an https address" in wrong(f'[notify]\npublic_url = "{url}"\n')


def test_a_public_address_has_no_slash_at_its_end() -> None:
    assert parse('[notify]\npublic_url = "https://box.example/"\n', "c").notify.public_url == "https://box.example"
    assert parse('[notify]\npublic_url = "http://127.0.0.1:80"\n', "c").notify.public_url == "http://127.0.0.1:80"


def test_a_setting_of_a_table_that_is_named_by_its_user_is_known_too() -> None:
    assert "did you mean transcript?" in wrong("[adapters.claude]\ntranscrip = true\n")
    assert "did you mean active_interval?" in wrong("[observe]\nactiv_interval = 1\n")


def test_an_address_is_printed_without_its_secret_part() -> None:
    """``agtmux daemon config`` prints the settings; a topic or a token must not stand there."""
    made = ChannelSettings.model_validate({"name": "a", "kind": "ntfy", "url": "https://ntfy.sh/my-secret-topic"})
    assert made.model_dump(mode="json")["url"] == "https://ntfy.sh/…"
    other = ChannelSettings.model_validate({"name": "a", "kind": "apprise", "url": "mailto://me:pw@example.org"})
    assert "pw" not in str(other.model_dump(mode="json"))


def test_what_leaves_the_machine_is_names_unless_you_say_otherwise() -> None:
    more: dict[str, dict[str, Any]] = {
        "ntfy": {"url": "https://ntfy.sh/t"}, "webhook": {"url": "https://x.example"}, "command": {"argv": ["x"]},
    }  # fmt: skip
    full = {
        kind: ChannelSettings.model_validate({"name": "a", "kind": kind, **more.get(kind, {})}).full
        for kind in ("desktop", "terminal", "tmux", "command", "ntfy", "webhook")
    }
    assert full == {
        "desktop": True, "terminal": True, "tmux": True, "command": True, "ntfy": False, "webhook": False,
    }  # fmt: skip
