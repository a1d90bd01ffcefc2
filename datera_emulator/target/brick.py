# SPDX-License-Identifier: Apache-2.0
"""An os-brick connector for protocol iSCSI that attaches the emulator's volumes without root.

It logs in at the portals of transport ``file``, which check state, ACL and CHAP as a target does.
What ``connect_volume`` returns as ``path`` depends on the caller: Cinder's backup manager opens a
path with mode ``wb``, which truncates a regular file, and passes ``expect_raw_disk`` when it
creates its connector; it gets a `VolumeDevice`. All others get the path.
"""

from __future__ import annotations

import getpass
import hashlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from os_brick import exception
from os_brick import initiator as protocols
from os_brick.initiator import connector
from os_brick.initiator.connectors import base, base_iscsi

from datera_emulator.rules.admission import LoginRefused
from datera_emulator.target.device import VolumeDevice
from datera_emulator.target.login import PortalLogin

LOG = logging.getLogger(__name__)

CLASSES = {
    "file": "datera_emulator.target.brick.FileConnector",
    "libiscsi": "datera_emulator.target.tgt_connector.LibiscsiConnector",
}
_REAL_CLASS = "os_brick.initiator.connectors.iscsi.ISCSIConnector"
_MAPPINGS = (
    connector._connector_mapping_linux,
    connector._connector_mapping_linux_ppc64,
    connector._connector_mapping_linux_s390x,
)


class TargetRefused(exception.FailedISCSITargetPortalLogin):
    """Every portal refused the login; ``reason`` is the target's code for it."""

    message = "Unable to login to iSCSI target %(target)s: %(detail)s"

    def __init__(self, target: str, refusal: LoginRefused) -> None:
        super().__init__(target=target, detail=str(refusal))
        self.reason = refusal.reason


class _Host:
    """One host: its name, and its sessions by the path or file that was returned."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.initiator = default_initiator()
        self.attachments: list[_Attachment] = []
        self.installed = False


class _Attachment:
    """The sessions behind one ``connect_volume``."""

    def __init__(self, target: str, logins: list[PortalLogin]) -> None:
        self.target = target
        self.logins = logins
        self.device: VolumeDevice | None = None

    def alive(self) -> bool:
        """Return whether one of the sessions still exists, as multipath needs only one."""
        return any(login.alive() for login in self.logins)

    def end(self) -> None:
        """Close the device and log out everywhere."""
        if self.device is not None:
            self.device.close()
        for login in self.logins:
            login.end()


def default_initiator() -> str:
    """Return a name for this host and user, the same in each process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        user = ""
    who = f"{socket.gethostname()} {user}"
    return f"iqn.2013-05.com.daterainc:emulator:{hashlib.sha256(who.encode()).hexdigest()[:12]}"


_HOST = _Host()


def install(initiator: str | None = None, connector_name: str = "file") -> str:
    """Register a connector in os-brick's tables and return the initiator's name.

    :param initiator: this host's IQN; by default :func:`default_initiator`.
    :param connector_name: ``file``, or ``libiscsi`` for the transport ``tgt``.
    :raises KeyError: there is no such connector.
    """
    chosen = CLASSES[connector_name]
    with _HOST.lock:
        _HOST.initiator = initiator or default_initiator()
        _HOST.installed = True
    _replace(_REAL_CLASS, chosen)
    return _HOST.initiator


def uninstall() -> None:
    """Restore os-brick's own connector and end every session of this process."""
    for ours in CLASSES.values():
        _replace(ours, _REAL_CLASS)
    with _HOST.lock:
        attachments, _HOST.attachments = _HOST.attachments, []
        _HOST.installed = False
    for attachment in attachments:
        attachment.end()


def _replace(old: str, new: str) -> None:
    for mapping in _MAPPINGS:
        if mapping[protocols.ISCSI] == old:
            mapping[protocols.ISCSI] = new
    listed = connector._get_connector_list()
    listed[:] = [new if name == old else name for name in listed]


class FileConnector(base.BaseLinuxConnector, base_iscsi.BaseISCSIConnector):
    """What os-brick makes for protocol iSCSI while it is installed."""

    login_class: Callable[..., PortalLogin] = PortalLogin

    def __init__(
        self, root_helper: str, *args: Any, expect_raw_disk: bool = False, **kwargs: Any
    ) -> None:
        self.use_multipath = kwargs.get("use_multipath", False)
        self._raw = expect_raw_disk
        super().__init__(root_helper, *args, **kwargs)

    @staticmethod
    def get_connector_properties(root_helper: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return this host's initiator, as the real connector does where open-iscsi is."""
        return {"initiator": _HOST.initiator}

    def supports_multipath(self) -> bool:
        """Say yes: a second portal is a second session."""
        return True

    def connect_volume(self, connection_properties: dict[str, Any]) -> dict[str, Any]:
        """Log in and return the volume.

        :raises TargetRefused: every portal refused the login, one with a reason.
        :raises os_brick.exception.TargetPortalNotFound: no portal answers.
        """
        targets = self._get_all_targets(connection_properties)
        attachment = _Attachment(targets[0][1], self._log_in(targets, connection_properties))
        path: str | VolumeDevice = attachment.logins[0].path
        if self._raw:
            size = attachment.logins[0].size
            attachment.device = VolumeDevice(str(path), size, attachment.alive)
            path = attachment.device
        with _HOST.lock:
            _HOST.attachments.append(attachment)
        return {"type": "block", "path": path, "session": attachment.logins[0].id}

    def disconnect_volume(
        self,
        connection_properties: dict[str, Any],
        device_info: dict[str, Any] | None,
        force: bool = False,
        ignore_errors: bool = False,
    ) -> None:
        """Log out; without a session there is nothing to do, as with the real one."""
        targets = {iqn for _, iqn, _ in self._get_all_targets(connection_properties)}
        wanted = (device_info or {}).get("session")
        with _HOST.lock:
            chosen = [one for one in _HOST.attachments if one.target in targets]
            if wanted is not None:
                chosen = [one for one in chosen if one.logins[0].id == wanted]
            _HOST.attachments = [one for one in _HOST.attachments if one not in chosen]
        for attachment in chosen:
            attachment.end()

    def extend_volume(self, connection_properties: dict[str, Any]) -> int | None:
        """Read the volume's size again and return it in bytes; None if not attached."""
        targets = {iqn for _, iqn, _ in self._get_all_targets(connection_properties)}
        size = None
        with _HOST.lock:
            attachments = [one for one in _HOST.attachments if one.target in targets]
        for attachment in attachments:
            for login in attachment.logins:
                if login.alive():
                    size = login.read_size()
            if attachment.device is not None and size is not None:
                attachment.device.size = size
        return size

    def get_volume_paths(self, connection_properties: dict[str, Any]) -> list[str]:
        """Return the paths under which the volume is attached here."""
        targets = {iqn for _, iqn, _ in self._get_all_targets(connection_properties)}
        with _HOST.lock:
            return [one.logins[0].path for one in _HOST.attachments if one.target in targets]

    def get_search_path(self) -> None:
        """Return None: there is no one directory."""

    def check_valid_device(self, path: Any, run_as_root: bool = True) -> bool:
        """Return whether a byte can be read."""
        try:
            if isinstance(path, str):
                with open(path, "rb") as file:
                    return bool(file.read(1))
            position = path.tell()
            path.seek(0)
            good = bool(path.read(1))
            path.seek(position)
        except (OSError, ValueError):
            return False
        return good

    def _log_in(
        self, targets: list[tuple[str, str, Any]], properties: dict[str, Any]
    ) -> list[PortalLogin]:
        logins: list[PortalLogin] = []
        refusal: LoginRefused | None = None
        for portal, iqn, lun in targets:
            try:
                logins.append(
                    self.login_class(
                        portal,
                        initiator=_HOST.initiator,
                        target=iqn,
                        lun=int(lun),
                        user=properties.get("auth_username"),
                        secret=properties.get("auth_password"),
                    )
                )
            except LoginRefused as exc:
                refusal = exc
            except OSError as exc:
                LOG.warning("Login failed at portal %s: %s", portal, exc)
            if logins and not self.use_multipath:
                break
        if logins:
            return logins
        if refusal is not None:
            raise TargetRefused(targets[0][1], refusal) from refusal
        portals = ", ".join(portal for portal, _, _ in targets)
        raise exception.TargetPortalNotFound(target_portal=portals)
