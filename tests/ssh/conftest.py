"""Fixtures of the ssh tests: keys and an ssh config, servers, executors to them. All end with the test."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.targets.ssh.executor import SshExecutor
from tests.ssh.accounts import Account, AccountError
from tests.ssh.sshd import Keys, Sshd, program


@pytest.fixture(scope="session")
def an_sshd() -> None:
    """OpenSSH's server is on this machine: installed, where that may be done without asking."""
    if program() is None:
        setup = Path(__file__).parents[2] / "scripts" / "setup.sh"
        done = subprocess.run([str(setup), "sshd"], capture_output=True, text=True, check=False, timeout=100)
        if program() is None:
            pytest.skip(f"no sshd here: {(done.stderr or done.stdout).strip()}")


@pytest.fixture
def keys(short_dir: Path, an_sshd: None) -> Keys:
    return Keys(short_dir)


@pytest.fixture
def new_sshd(keys: Keys) -> Iterator[Callable[..., Sshd]]:
    """Starts servers: ``new_sshd("vm1", shell=…, max_sessions=…)``. Their logs are shown with a failure."""
    made: list[Sshd] = []

    def make(alias: str = "vm1", *, start: bool = True, **more: Any) -> Sshd:
        made.append(Sshd(keys, alias, **more))
        return made[-1].start() if start else made[-1]

    yield make
    for server in made:
        server.kill()
        print(f"--- {server.alias}", server.log.read_text(errors="replace") if server.log.exists() else "", sep="\n")


@pytest.fixture
def new_account() -> Iterator[Callable[..., Account]]:
    """Makes throw-away login accounts: ``new_account("/bin/zsh")``. What they ran ends with the test."""
    made: list[Account] = []

    def make(shell: str, **more: Any) -> Account:
        if not Path(shell).exists():
            pytest.skip(f"no {shell} here")
        try:
            made.append(Account(shell, **more))
        except AccountError as error:
            pytest.skip(str(error))
        return made[-1]

    yield make
    for account in made:
        account.close()


@pytest.fixture
async def reach(keys: Keys) -> AsyncIterator[Callable[..., SshExecutor]]:
    """Makes executors: ``reach("vm1")``; all are closed at the end."""
    made: list[SshExecutor] = []

    def make(alias: str = "vm1", **more: Any) -> SshExecutor:
        # Generous limits: the machine may be busy with other things. Tests of the limits set their own.
        limits = {"connect_timeout": 20.0, "command_timeout": 20.0, **more}
        made.append(SshExecutor(alias, config_file=str(keys.config), **limits))
        return made[-1]

    yield make
    for executor in made:
        await executor.close()
