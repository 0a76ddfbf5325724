"""A request for leases is checked as a whole before anything is decided."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.features.leases.model import NAME_TTL, PATH_TTL, Scope
from agtmuxd.features.leases.requests import LeaseRequest, drafts

pytestmark = pytest.mark.tc("TC-784")
REPO = Scope("r", "path", "/r/.git")


def request(*paths: str, names: tuple[str, ...] = (), **more: object) -> LeaseRequest:
    return LeaseRequest("/r/.git" if paths else None, paths, names, **more)  # type: ignore[arg-type]


def test_paths_and_names_have_their_own_times_and_what_is_named_twice_is_wanted_once() -> None:
    found = drafts(request("src/", "src/**", names=("db", "DB")), REPO, Actor(), 0)
    assert [(one.what, one.ttl) for one in found] == [("DB", NAME_TTL), ("src/**", PATH_TTL)]
    assert {one.holder for one in found} == {"person"}


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (request(), "nothing to hold"),
        (request(names=("db",), mode="shared"), "leave out --shared"),
        (request("src", capacity=2), "only names have a capacity"),
        (request("../x"), "leaves its folder"),
    ],
)
def test_what_makes_no_sense_is_refused(wanted: LeaseRequest, why: str) -> None:
    with pytest.raises(AgtmuxError, match=why):
        drafts(wanted, REPO, Actor(), 0)


def test_two_requests_are_the_same_if_all_but_their_name_is() -> None:
    assert request("a").digest("acquire") == request("a").digest("acquire")
    assert len({request("a").digest("acquire"), request("b").digest("acquire"), request("a").digest("take")}) == 3
