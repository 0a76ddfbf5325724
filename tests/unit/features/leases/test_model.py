"""When a lease ends, is renewed or is orphaned, by its time and by whether its agent lives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.globs import Budget
from agtmuxd.core.model import NS
from agtmuxd.features.leases.model import (
    MAX_HOLD,
    MOST_TTL,
    Lease,
    Scope,
    checked_ttl,
    conflicts,
    due,
    name_scope,
    next_look,
)

T0 = 1_767_225_600 * NS
REPO = Scope("r", "path", "/r/.git")


def lease(**more: object) -> Lease:
    one = Lease(
        lease_id="l", scope=REPO, pattern="src/**", mode="exclusive", advisory=False, holder="a1",
        holder_label="agent:claude-1", agent_id="a1", runtime_id="rt-1", fence=7, ttl=300 * NS, acquired_at=T0,
        renewed_at=T0, expires_at=T0 + 300 * NS, hold_until=T0 + MAX_HOLD,
    )  # fmt: skip
    return replace(one, **more)  # type: ignore[arg-type]


@pytest.mark.tc("TC-783")
def test_a_living_agent_is_renewed_at_a_third_of_the_time_up_to_its_longest_hold() -> None:
    one, alive = lease(), {"a1": "rt-1"}
    assert due(one, T0 + 99 * NS, alive) is one
    later = due(one, T0 + 100 * NS, alive)
    assert (later.renewed_at, later.expires_at, later.fence) == (T0 + 100 * NS, T0 + 400 * NS, 7)
    old = lease(renewed_at=T0 + MAX_HOLD - 200 * NS, expires_at=T0 + MAX_HOLD - 10 * NS)
    last = due(old, T0 + MAX_HOLD - 100 * NS, alive)
    assert last.expires_at == T0 + MAX_HOLD
    assert due(last, T0 + MAX_HOLD, alive).state == "expired"


@pytest.mark.tc("TC-783")
def test_the_lease_of_an_agent_that_ended_is_orphaned_for_a_minute_then_released() -> None:
    orphan = due(lease(), T0 + 10 * NS, {"a1": None})
    assert (orphan.state, orphan.ended_at) == ("orphaned", None)
    assert due(orphan, T0 + 69 * NS, {"a1": None}) is orphan
    gone = due(orphan, T0 + 70 * NS, {"a1": None})
    assert (gone.state, gone.end_reason, gone.ended_at) == ("released", "holder_gone", T0 + 70 * NS)
    back = due(orphan, T0 + 30 * NS, {"a1": "rt-2"})
    assert (back.state, back.runtime_id, back.fence, back.orphaned_at) == ("active", "rt-2", 7, None)


@pytest.mark.tc("TC-783")
def test_a_person_and_an_agent_that_cannot_be_seen_have_only_their_time() -> None:
    for one, living in ((lease(agent_id=None, holder="person", runtime_id=None), {"a1": None}), (lease(), {})):
        assert due(one, T0 + 299 * NS, living) is one
        assert due(one, T0 + 300 * NS, living).state == "expired"


@pytest.mark.tc("TC-783")
def test_the_next_look_is_when_time_alone_changes_something() -> None:
    assert next_look([], T0) is None
    assert next_look([lease()], T0) == T0 + 100 * NS
    assert next_look([lease(agent_id=None)], T0) == T0 + 300 * NS
    assert next_look([lease(orphaned_at=T0 + 5 * NS)], T0) == T0 + 65 * NS
    assert next_look([lease(expires_at=T0 + 900 * NS)], T0 + 150 * NS) == T0 + 250 * NS, "not again at once"


@pytest.mark.tc("TC-784")
def test_exclusive_excludes_any_overlap_shared_only_exclusive_and_own_and_advisory_nothing() -> None:
    held = lease()
    for wanted, refused in (
        (lease(holder="a2", pattern="src/a.py"), True),
        (lease(holder="a2", pattern="docs"), False),
        (lease(holder="a2", pattern="src/a.py", mode="shared"), True),
        (lease(pattern="src/a.py"), False),
        (lease(holder="a2", pattern="src/a.py", advisory=True), False),
    ):
        assert bool(conflicts(wanted, [held], Budget())) is refused, wanted
    shared = lease(mode="shared")
    assert not conflicts(lease(holder="a2", mode="shared"), [shared], Budget())
    assert conflicts(lease(holder="a2"), [shared], Budget()) == [shared]
    assert not conflicts(lease(holder="a2"), [lease(advisory=True)], Budget())


@pytest.mark.tc("TC-784")
def test_a_name_is_held_by_as_many_as_its_capacity_and_is_one_in_any_case() -> None:
    assert name_scope("Build").scope_id == name_scope("bUILD").scope_id
    scope = replace(name_scope("build"), capacity=2)
    one, two = (lease(scope=scope, pattern=None, holder=holder) for holder in ("a1", "a2"))
    assert not conflicts(lease(scope=scope, pattern=None, holder="a3"), [one], Budget())
    assert conflicts(lease(scope=scope, pattern=None, holder="a3"), [one, two], Budget()) == [one, two]
    assert conflicts(lease(scope=scope, pattern=None), [one, two], Budget()), "nobody holds it twice for one place"
    for bad in ("", "a b", "é", "-x", "a" * 129):
        with pytest.raises(AgtmuxError, match="is not a name"):
            name_scope(bad)


@pytest.mark.tc("TC-784")
def test_a_time_is_between_half_a_minute_and_eight_hours() -> None:
    assert checked_ttl(None, 5) == 5
    assert checked_ttl(MOST_TTL, 5) == MOST_TTL
    for bad in (29 * NS, MOST_TTL + 1):
        with pytest.raises(AgtmuxError, match="lasts 30 s to 8 h"):
            checked_ttl(bad, 5)
