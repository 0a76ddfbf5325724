"""Which host keys the lines of known_hosts make trusted."""

from __future__ import annotations

import asyncssh
import pytest

from agtmuxd.targets.ssh.known_hosts import Trust, agreeing, matches, read, searched

pytestmark = pytest.mark.tc("TC-160")


def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


def line(name: str, of: asyncssh.SSHKey) -> str:
    return f"{name} {of.export_public_key().decode()}"


def test_a_host_is_looked_for_with_its_port_then_without_and_an_alias_by_itself() -> None:
    assert searched("Box", 22, None) == ("box",)
    assert searched("Box", 2222, None) == ("[box]:2222", "box")
    assert searched("box", 2222, "Name") == ("name",)


@pytest.mark.parametrize(
    ("patterns", "name", "yes"),
    [
        ("box", "box", True), ("BOX", "box", True), ("b?x", "box", True), ("*.example", "a.example", True),
        ("*.example", "example", False), ("*,!box", "box", False), ("!box", "other", False), ("a,b,box", "box", True),
        ("[box]:22", "[box]:22", True), ("[b*]:22", "[box]:22", True), ("[box]", "b", False), ("b.x", "box", False),
        ("|1|x|y", "box", False), ("|2|AAAA|AAAA", "box", False), ("", "box", False),
    ],
)  # fmt: skip
def test_patterns_are_read_as_ssh_reads_them(patterns: str, name: str, yes: bool) -> None:
    assert matches(patterns, name) is yes


def test_what_is_revoked_under_any_of_the_names_is_out_and_the_first_known_name_counts() -> None:
    with_port, without, bad = key(), key(), key()
    text = "\n".join([line("[box]:2222", with_port), line("box", without), line("@revoked box", bad)])
    trust = read(text, ("[box]:2222", "box"))
    assert (trust.keys, trust.revoked) == ([with_port], [bad])


def test_a_line_that_is_no_line_is_passed_over() -> None:
    good = key()
    text = "\n".join(["x", "@", "@nobody a b c", "box", "box ssh-ed25519", "box ssh-ed25519 ???", line("box", good)])
    assert read(text, ("box",)).keys == [good]


def test_a_key_that_the_address_contradicts_is_not_trusted() -> None:
    mine, other = key(), key()
    assert agreeing(Trust([mine]), line("192.0.2.1", other), "192.0.2.1", 22).keys == []
    assert agreeing(Trust([mine]), line("192.0.2.1", mine), "192.0.2.1", 22).keys == [mine]
    assert agreeing(Trust([mine]), line("192.0.2.2", other), "192.0.2.1", 22).keys == [mine]
