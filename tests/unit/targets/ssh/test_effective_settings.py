"""What is asked of ssh(1), and how its answer reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.targets.ssh import effective_settings
from agtmuxd.targets.ssh.effective_settings import ConfigError, Destination, config_words, parse

pytestmark = pytest.mark.tc("TC-160")

ANSWER = "host pc\nuser me\nhostname 192.0.2.7\nport 2222\nhostkeyalias box\nidentityfile ~/.ssh/id-%k-%p-%%\n"


def test_the_file_that_ssh_reads_by_itself_is_not_named_and_any_other_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effective_settings, "home", lambda: str(tmp_path / "real"))
    monkeypatch.setenv("HOME", str(tmp_path / "real"))
    assert config_words("~/.ssh/config") == ()
    assert config_words("/etc/mine") == ("-F", "/etc/mine")
    assert config_words("~/mine") == ("-F", f"{tmp_path}/real/mine")


def test_where_home_is_another_folder_its_ssh_config_is_read_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effective_settings, "home", lambda: str(tmp_path / "real"))
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    assert config_words("~/.ssh/config") == ()
    config = tmp_path / "other" / ".ssh" / "config"
    config.parent.mkdir(parents=True)
    config.touch()
    assert config_words("~/.ssh/config") == ("-F", str(config))


def test_tokens_and_variables_are_filled_in_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effective_settings, "home", lambda: "/home/me")
    settings = parse(ANSWER, Destination("pc"), {"V": "%h${W}"})
    assert settings.paths("identityfile", "IdentityFile") == ["/home/me/.ssh/id-box-2222-%"]
    assert settings.path("/x/${V}/%n", "IdentityFile") == "/x/%h${W}/pc"
    with pytest.raises(ConfigError, match=r"IdentityFile /x/%z: ssh has no token %z"):
        settings.path("/x/%z", "IdentityFile")
    with pytest.raises(ConfigError, match="no NONE"):
        settings.path("${NONE}", "IdentityFile")


@pytest.mark.parametrize("answer", ["", "hostname a\n", "hostname a\nport x\n", "hostname a\nport 0\n", "usage: ssh"])
def test_what_is_no_answer_of_ssh_is_none(answer: str) -> None:
    with pytest.raises(ConfigError, match="printed no host and port"):
        parse(answer, Destination("pc"), {})
