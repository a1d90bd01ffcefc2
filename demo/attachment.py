# SPDX-License-Identifier: Apache-2.0
"""A volume attached to this machine, as an ordinary user: Cinder's attachments API and os-brick."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from demo.waiting import NotYet, Permanent, until

ATTACH_SECONDS = 120.0


class NotAttached(Permanent):
    """Cinder could not attach the volume."""


@contextlib.contextmanager
def attached(cloud: Any, volume_id: str, locks: Path) -> Iterator[BinaryIO]:
    """Attach a volume, yield it opened for reading and writing, and detach it again.

    :param cloud: an openstacksdk connection of a user of the volume's project.
    :param locks: a directory for os-brick's locks.
    :raises NotAttached: when Cinder reports an error.
    """
    brick = _brick(locks)
    properties = brick.get_connector_properties("env", "127.0.0.1", False, False)
    storage = cloud.block_storage
    attachment = storage.create_attachment(
        volume_id,
        # No instance: the volume is attached to this host itself.
        connector={**properties, "host": socket.gethostname(), "mountpoint": "/dev/vdz"},
        mode="rw",
    )
    try:
        connection = dict(attachment.connection_info)
        connector = brick.InitiatorConnector.factory(
            connection["driver_volume_type"].upper(), "env", conn=connection
        )
        device = connector.connect_volume(connection)
        try:
            storage.complete_attachment(attachment)
            with open(device["path"], "r+b", buffering=0) as volume:
                yield volume
        finally:
            connector.disconnect_volume(connection, device)
    finally:
        storage.delete_attachment(attachment)
    until(
        f"volume {volume_id} detached",
        lambda: _is_available(storage, volume_id),
        seconds=ATTACH_SECONDS,
    )


def _is_available(storage: Any, volume_id: str) -> bool:
    state = str(storage.get_volume(volume_id).status)
    if state.startswith("error"):
        raise NotAttached(f"volume {volume_id} is in state {state}")
    if state != "available":
        raise NotYet(state)
    return True


def _brick(locks: Path) -> Any:
    """Return os-brick's connector module, set up to need no privileges."""
    import os_brick
    import os_brick.privileged
    from os_brick.initiator import connector
    from oslo_config import cfg

    os_brick.setup(cfg.CONF)
    cfg.CONF([], project="demo", default_config_files=[])
    locks.mkdir(parents=True, exist_ok=True)
    cfg.CONF.set_override("lock_path", str(locks), group="os_brick")
    os_brick.privileged.default.set_client_mode(False)
    return connector
