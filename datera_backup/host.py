# SPDX-License-Identifier: Apache-2.0
"""This host's side of an attachment: its initiator, os-brick, and the device's file."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cinder import utils
from cinder.volume import volume_utils
from oslo_concurrency import lockutils
from oslo_config import cfg
from oslo_log import log as logging

from backup_dispatch.search_path import not_enterable
from datera_backup.errors import AttachFailed
from datera_backup.locks import PREFIX, lock_folder
from datera_volume.connection import StorageInstance

CONF = cfg.CONF
CONF.import_opt("use_multipath_for_image_xfer", "cinder.volume.driver")
CONF.import_opt("num_volume_device_scan_tries", "cinder.volume.driver")
LOG = logging.getLogger(__name__)

PORTAL_PORT = 3260
LUN = 0

CONNECT_PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each further attempt to log in: a target may be up later than the cluster says."""


@dataclass(frozen=True)
class Connected:
    """A device on this host, and what os-brick needs to take it away again."""

    path: str
    connector: Any
    data: dict[str, Any]
    device: dict[str, Any]

    def disconnect(self) -> None:
        """Flush the device and remove it from this host."""
        self.connector.disconnect_volume(self.data, self.device, force=True, ignore_errors=False)


@dataclass(frozen=True)
class Initiator:
    """Who this host is to a target."""

    iqn: str
    name: str
    multipath: bool


def this_initiator() -> Initiator:
    """Ask os-brick who this host is.

    :raises AttachFailed: it has no iSCSI initiator, or os-brick cannot run what it asks it with.
    """
    try:
        properties = volume_utils.brick_get_connector_properties(
            CONF.use_multipath_for_image_xfer, enforce_multipath=False
        )
    except OSError as failure:
        barred = ", ".join(not_enterable(os.environ.get("PATH", os.defpath)))
        remedy = f"; take out of PATH what this user may not enter: {barred}" if barred else ""
        raise AttachFailed(
            f"os-brick cannot tell what host {CONF.host} is: {failure}{remedy}"
        ) from failure
    iqn = properties.get("initiator")
    if not iqn:
        raise AttachFailed(
            f"Host {CONF.host} has no iSCSI initiator (os-brick finds none): is open-iscsi "
            f"installed, and has it a name in /etc/iscsi/initiatorname.iscsi?"
        )
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", f"cinder-backup-{properties.get('host') or CONF.host}")
    return Initiator(iqn, name[:64], bool(properties.get("multipath")))


def connection_data(target: StorageInstance) -> dict[str, Any]:
    """What os-brick needs to reach the target: all of its portals, for one path or for several.

    :raises AttachFailed: the target has no portal.
    """
    if not target.ips or not target.iqn:
        raise AttachFailed(f"The cluster gives no portal for {target.path}")
    portals = [f"[{ip}]:{PORTAL_PORT}" if ":" in ip else f"{ip}:{PORTAL_PORT}" for ip in target.ips]
    return {
        "target_discovered": False,
        "target_portal": portals[0],
        "target_iqn": target.iqn,
        "target_lun": LUN,
        "target_portals": portals,
        "target_iqns": [target.iqn] * len(portals),
        "target_luns": [LUN] * len(portals),
        "access_mode": "rw",
        "encrypted": False,
    }


def connector_for(data: dict[str, Any], initiator: Initiator) -> Any:
    """Return os-brick's connector for such a target."""
    return volume_utils.brick_get_connector(
        "iscsi",
        use_multipath=initiator.multipath,
        device_scan_attempts=CONF.num_volume_device_scan_tries,
        conn={"driver_volume_type": "iscsi", "data": data},
    )


def connect(
    target: StorageInstance, initiator: Initiator, *, sleep: Callable[[float], None] = time.sleep
) -> Connected:
    """Bring the target's volume to this host.

    :raises AttachFailed: os-brick could not, several times over.
    """
    data = connection_data(target)
    connector = connector_for(data, initiator)
    for pause in (*CONNECT_PAUSES, None):
        try:
            device = connector.connect_volume(data)
            break
        except Exception as failure:
            LOG.debug("Logging in to %s failed: %s", target.iqn, failure)
            if pause is None:
                raise AttachFailed(
                    f"Could not attach {target.path} ({target.iqn} at "
                    f"{', '.join(data['target_portals'])}): {failure}"
                ) from failure
            sleep(pause)
    return Connected(str(device["path"]), connector, data, dict(device))


def disconnect_leftover(target: StorageInstance, initiator: Initiator) -> None:
    """Remove a device that a process of this host left behind when it died; none is no error."""
    data = connection_data(target)
    connector_for(data, initiator).disconnect_volume(data, None, force=True, ignore_errors=True)


def open_device(path: str, *, writable: bool) -> int:
    """Open an attached device and return its descriptor.

    The device belongs to root; its owner is changed for the moment of opening only, and in one
    process of the host at a time, or one would give it back under another's hands.

    :raises AttachFailed: it cannot be opened.
    """
    flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC
    with lockutils.lock(f"{PREFIX}open", external=True, lock_path=lock_folder()):
        try:
            with utils.temporary_chown(path):
                return os.open(path, flags)
        except OSError as failure:
            raise AttachFailed(f"Could not open {path}: {failure}") from failure
