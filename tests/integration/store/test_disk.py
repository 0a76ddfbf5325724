"""What the file system below the database is, and how much room it has."""

from __future__ import annotations

import pytest

from agtmuxd.store.disk import network_type


@pytest.mark.tc("TC-153")
@pytest.mark.parametrize(
    ("where", "kind"),
    [("/home/me/.local/state", "nfs4"), ("/home/me/local disk/s", None), ("/home", None), ("/srv/x", "fuse.sshfs"),
     ("/srvx", None)],
)  # fmt: skip
def test_a_network_file_system_below_the_database_is_told(where: str, kind: str | None) -> None:
    mounts = (
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "30 21 0:40 / /home/me rw,nosuid shared:1 - nfs4 server:/me rw\n"
        "31 30 8:2 / /home/me/local\\040disk rw - xfs /dev/sdb rw\n"
        "32 21 0:41 / /srv rw - fuse.sshfs host: rw\n"
        "broken line\n"
    )
    assert network_type(where, mounts) == kind
