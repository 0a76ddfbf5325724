"""Names of runtimes and events: the same for the same thing, and another for another."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmuxd.core.ids import dedupe_key, runtime_id, uuid7
from agtmuxd.core.model import MS, NS

T0 = 1_000_000 * NS
BOUNDED = settings(deadline=None, max_examples=80, print_blob=True)


A_RUNTIME: tuple[Any, ...] = ("t1", "900.1", "%1", 1, "claude", T0)


@pytest.mark.tc("TC-004")
def test_a_runtime_id_is_the_same_for_the_same_runtime_on_every_machine() -> None:
    text = "\x1f".join(["t1", "900.1", "%1", "1", "claude", str(T0)])
    assert runtime_id(*A_RUNTIME) == "rt-" + hashlib.sha256(text.encode()).hexdigest()[:40]
    assert runtime_id(*A_RUNTIME) == "rt-153aaaf80cce7d56c2754f9a6a95db6ab5d618a6"


@pytest.mark.tc("TC-004")
@pytest.mark.parametrize(("place", "other"), [(0, "t2"), (1, "901.1"), (2, "%2"), (3, 2), (4, "codex"), (5, T0 + 1)])
def test_another_runtime_has_another_id(place: int, other: object) -> None:
    changed = list(A_RUNTIME)
    changed[place] = other
    assert runtime_id(*changed) != runtime_id(*A_RUNTIME)


@pytest.mark.tc("TC-004")
@BOUNDED
@given(st.text(), st.text(), st.integers(1, 9999), st.integers(0, 2**63 - 1))
def test_a_runtime_id_can_stand_in_a_ref(target: str, agent: str, epoch: int, started: int) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._:-]{16,128}", runtime_id(target, "900.1", "%1", epoch, agent, started))


@pytest.mark.tc("TC-007")
def test_a_dedupe_key_is_one_per_occurrence() -> None:
    assert dedupe_key("hook", "e1", "Stop") == dedupe_key("hook", "e1", "Stop")
    assert len({dedupe_key("hook", "e1", "Stop"), dedupe_key("hook", "e2", "Stop"), dedupe_key("notify", "e1", "Stop"),
                dedupe_key("hook", "e1", "Start"), dedupe_key("hooke", "1", "Stop")}) == 5  # fmt: skip


@pytest.mark.tc("TC-006")
@BOUNDED
@given(st.integers(0, 2**47 * MS), st.integers(0, 2**47 * MS), st.binary(min_size=10, max_size=10))
def test_later_event_ids_sort_behind_earlier_ones(one: int, other: int, entropy: bytes) -> None:
    early, late = sorted((one, other))
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", uuid7(one, entropy))
    if late // MS > early // MS:
        assert uuid7(early, entropy) < uuid7(late, entropy)
