# SPDX-License-Identifier: Apache-2.0
"""Which host is asked to delete a backup, and what comes of it if nobody can be."""

from __future__ import annotations

import socket
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


def test_message_bus_that_is_down_is_given_up(past: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import oslo_messaging
    from cinder import rpc
    from cinder.backup.rpcapi import BackupAPI
    from kombu.utils import functional
    from oslo_config import cfg

    from backup_dispatch.jobs.prune.service import CinderBackup, RequestLost

    slept: list[float] = []
    monkeypatch.setattr(functional, "sleep", slept.append)
    # As it is outside the tests, whose messages go straight to the manager.
    monkeypatch.setattr(BackupAPI, "_get_cctxt", rpc.RPCAPI._get_cctxt)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"rabbit://guest:s3cret-of-bus@127.0.0.1:{taken.getsockname()[1]}/"
        monkeypatch.setattr(rpc, "TRANSPORT", oslo_messaging.get_rpc_transport(cfg.CONF, nobody))
        (made,) = past.add("tape", {0: None})
        with pytest.raises(RequestLost, match=r"prune again: it asks once more") as lost:
            CinderBackup().delete(past.cinder.backup(made))
    assert "s3cret-of-bus" not in lost.value.full_text
    assert 30 <= sum(slept) <= 120
