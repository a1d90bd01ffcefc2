# SPDX-License-Identifier: Apache-2.0
"""Which containers a crashed process has left attached to this host."""

from __future__ import annotations

import pytest
from cinder import objects

objects.register_all()

from datera_backup.storage.attachments import _left_behind  # noqa: E402 - after Cinder's objects
from datera_backup.storage.host import Initiator  # noqa: E402
from datera_volume.connection import AppInstance, StorageInstance  # noqa: E402

MINE = Initiator("iqn.1994-05.com.redhat:HOST", "host", False)


def container(*initiators: str, admin_state: str = "online") -> AppInstance:
    storage = StorageInstance("storage-1", "/s", "available", initiators=initiators)
    return AppInstance(
        "1", "c", "/c", "/root", admin_state=admin_state, storage_instances=(storage,)
    )


@pytest.mark.parametrize("iqn", [MINE.iqn, MINE.iqn.lower()])
def test_container_whose_access_list_has_this_host_in_any_case_is_left_behind(iqn: str) -> None:
    assert _left_behind(container(iqn, "iqn.1994-05.com.redhat:other"), MINE)


def test_container_that_is_online_for_nobody_is_left_behind() -> None:
    assert _left_behind(container(), MINE)
    assert not _left_behind(container(admin_state="offline"), MINE)
    assert not _left_behind(container("iqn.1994-05.com.redhat:other"), MINE)
