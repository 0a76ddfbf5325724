"""/v1/targets: added, reached and removed."""

from __future__ import annotations

from agtmuxd.api.responses.targets import ConnectAnswer, TargetAnswer
from tests.fake_services import Api


async def test_targets_are_added_reached_and_removed(api: Api) -> None:
    added = await api.call("POST", "/v1/targets", json={"name": "two", "kind": "local", "tmux_socket": "two"})
    assert TargetAnswer.model_validate(added).model_dump() == added
    again = await api.call("POST", "/v1/targets", 409, json={"name": "two", "kind": "local"})
    assert again["error"]["code"] == "E_TARGET_EXISTS"
    reached = await api.call("POST", "/v1/targets/two/connect")
    assert ConnectAnswer.model_validate(reached).model_dump() == reached
    assert await api.call("DELETE", "/v1/targets/two") == {"schema_version": "1.0", "removed": "two"}
    wrong = await api.call("POST", "/v1/targets", 400, json={"name": "far", "kind": "ssh"})
    assert "ssh_target" in wrong["error"]["message"]
