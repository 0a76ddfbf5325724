"""A team file is read as a whole, and what is wrong in it is named with its line, its key and the allowed form."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.team_file import Member, TeamFile, read

pytestmark = pytest.mark.tc("TC-624")

GOOD = """\
name = "web"
deliver = "pane"
escalate_to = "lead"

[[agents]]
name = "lead"
owner = "Ada"

[[agents]]
name = "builder"
role = "writes the API"
tags = ["python"]
scopes = ["src/api/**", "tests/*.py"]
deliver = "pull"
"""


def test_a_team_file_is_read_with_all_that_it_says() -> None:
    assert read(GOOD) == TeamFile(
        "web", "pane", "lead",
        (
            Member("lead", owner="Ada"),
            Member("builder", "writes the API", None, ("python",), ("src/api/**", "tests/*.py"), "pull"),
        ),
    )  # fmt: skip
    assert read('name = "web"') == TeamFile("web", "pull", None, ())
    assert read('name = "web"\nescalate_to = "person"').escalate_to is None


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        (GOOD.replace('deliver = "pane"', 'delivr = "pane"'), 2, "delivr", "did you mean deliver"),
        (GOOD.replace('"pull"', '"push"'), 14, "agents[1].deliver", 'deliver = "pane" or "pull"'),
        (GOOD.replace('"lead"\n\n', '"nobody"\n\n'), 3, "escalate_to", "use one of person, lead, builder"),
        (GOOD.replace('"builder"', '"Lead"'), 10, "agents[1].name", "already an agent of this team"),
        (GOOD.replace('"builder"', '"claude"'), 10, "agents[1].name", "cannot be a name"),
        (GOOD.replace('"builder"', '"a b"'), 10, "agents[1].name", "is not a name"),
        (GOOD.replace('name = "web"\n', ""), None, "name", 'write name = "web"'),
        (GOOD.replace("src/api/**", "../secret"), 13, "agents[1].scopes", "no leading /, no .., no //"),
        (GOOD.replace("src/api/**", "/etc/*"), 13, "agents[1].scopes", "no leading /"),
        (GOOD.replace("src/api/**", "src/{a,b}/**"), 13, "agents[1].scopes", "give one pattern for each"),
        (GOOD.replace("src/api/**", "src/[[:alpha:]]*"), 13, "agents[1].scopes", "use ranges such as [a-zA-Z]"),
        (GOOD.replace("src/api/**", "src/[a"), 13, "agents[1].scopes", "close the class"),
        (GOOD.replace('["python"]', '"python"'), 12, "agents[1].tags", "write a list"),
        ('name = "web"\nagents = 3', 2, "agents", "[[agents]]"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_the_allowed_form(
    text: str, line: int | None, key: str, says: str
) -> None:
    with pytest.raises(AgtmuxError) as caught:
        read(text, ("claude", "person"))
    assert (caught.value.code, caught.value.details) == ("E_INVALID_REQUEST", {"line": line, "key": key})
    assert says in caught.value.message
    assert line is None or caught.value.message.startswith(f"line {line}: ")


def test_what_is_no_toml_or_too_long_is_refused() -> None:
    with pytest.raises(AgtmuxError, match=r"not TOML: .*line 1"):
        read("name = x")
    with pytest.raises(AgtmuxError) as caught:
        read("#" * (256 * 1024 + 1))
    assert caught.value.code == "E_PAYLOAD_TOO_LARGE"
