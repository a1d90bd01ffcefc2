# SPDX-License-Identifier: Apache-2.0
"""Which host is asked to delete a backup."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("same_host", "own_host", "zone", "host"),
    [
        (False, False, "nova", "testhost"),
        (True, False, "nova", None),
        (False, True, "nova", None),
        (False, False, "elsewhere", None),
    ],
)
def test_another_host_deletes_where_it_has_the_data(
    past: Any, same_host: bool, own_host: bool, zone: str, host: str | None
) -> None:
    from oslo_config import cfg

    from backup_dispatch.jobs.prune.service import CinderBackup, NoServiceUp

    (made,) = past.add("tape", {0: None})
    cfg.CONF.set_override("backup_use_same_host", same_host)
    backup = past.cinder.backup(made)
    backup.host, backup.availability_zone = "gone", zone
    try:
        if host is None:
            with pytest.raises(NoServiceUp):
                CinderBackup().host_for(backup, own_host_only=own_host)
        else:
            assert CinderBackup().host_for(backup, own_host_only=own_host) == host
    finally:
        cfg.CONF.clear_override("backup_use_same_host")
