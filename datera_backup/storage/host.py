# SPDX-License-Identifier: Apache-2.0
"""This host's side of an attachment: its initiator, os-brick, and the device's file."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tenacity
from cinder import utils
from cinder.volume import volume_utils
from os_brick.initiator import ISCSI
from os_brick.initiator import connector as brick
from os_brick.initiator.connectors.base import BaseLinuxConnector
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import importutils

from backup_dispatch.search_path import not_enterable
from datera_backup.errors import AttachFailed
from datera_backup.storage.locks import opening_lock
from datera_volume.connection import StorageInstance, UnexpectedAnswer, target_properties

CONF = cfg.CONF
CONF.import_opt("use_multipath_for_image_xfer", "cinder.volume.driver")
CONF.import_opt("num_volume_device_scan_tries", "cinder.volume.driver")
LOG = logging.getLogger(__name__)

CONNECT_ATTEMPTS = 4
"""Attempts to log in, 1, 2 and 4 seconds apart: a target may be up later than the cluster says."""


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
        properties = iscsi_properties()
    except OSError as failure:
        barred = ", ".join(not_enterable(os.environ.get("PATH", os.defpath)))
        remedy = (
            f"; remove from PATH the folders that this user may not enter: {barred}"
            if barred
            else ""
        )
        raise AttachFailed(
            f"os-brick cannot determine the properties of host {CONF.host}: {failure}{remedy}"
        ) from failure
    iqn = properties.get("initiator")
    if not iqn:
        raise AttachFailed(
            f"Host {CONF.host} has no iSCSI initiator (os-brick finds none): is open-iscsi "
            f"installed, with a name in /etc/iscsi/initiatorname.iscsi?"
        )
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", f"cinder-backup-{socket.gethostname() or CONF.host}")
    return Initiator(iqn, name[:64], bool(properties.get("multipath")))


def iscsi_properties() -> dict[str, Any]:
    """Ask os-brick for what an iSCSI target needs to know of this host.

    Asked for a host's properties as a whole, it runs the commands of all other protocols too: half
    the processor time of a small backup.
    """
    how = {
        "host": None,
        "multipath": CONF.use_multipath_for_image_xfer,
        "enforce_multipath": False,
        "execute": None,
    }
    iscsi = importutils.import_class(brick.get_connector_mapping()[ISCSI])
    found: dict[str, Any] = {}
    for connector in (BaseLinuxConnector, iscsi):
        found |= connector.get_connector_properties(utils.get_root_helper(), **how)
    return found


def connection_data(target: StorageInstance) -> dict[str, Any]:
    """What os-brick needs to reach the target: all of its portals, for one path or for several.

    :raises AttachFailed: the target has no portal.
    """
    try:
        properties = target_properties(target, multipath=True)
    except UnexpectedAnswer as incomplete:
        raise AttachFailed(str(incomplete)) from incomplete
    return {**properties, "access_mode": "rw", "encrypted": False}


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

    :raises AttachFailed: every attempt of os-brick failed.
    """
    data = connection_data(target)
    connector = connector_for(data, initiator)
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(CONNECT_ATTEMPTS),
        wait=tenacity.wait_exponential(),
        before_sleep=tenacity.before_sleep_log(LOG, logging.DEBUG),
        sleep=sleep,
        reraise=True,
    )
    try:
        device = attempts(connector.connect_volume, data)
    except Exception as failure:
        raise AttachFailed(
            f"Could not attach {target.path} ({target.iqn} at "
            f"{', '.join(data['target_portals'])}): {failure}"
        ) from failure
    return Connected(str(device["path"]), connector, data, dict(device))


def disconnect_leftover(target: StorageInstance, initiator: Initiator) -> None:
    """Remove a device that a crashed process of this host left behind; none is no error."""
    data = connection_data(target)
    connector_for(data, initiator).disconnect_volume(data, None, force=True, ignore_errors=True)


def open_device(path: str, *, writable: bool) -> int:
    """Open an attached device and return its descriptor.

    The device belongs to root; its owner is changed for the moment of opening only, and in one
    process of the host at a time, or one would give it back under another's hands.

    :raises AttachFailed: it cannot be opened.
    """
    flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC
    with opening_lock():
        try:
            with utils.temporary_chown(path):
                return os.open(path, flags)
        except OSError as failure:
            raise AttachFailed(f"Could not open {path}: {failure}") from failure
