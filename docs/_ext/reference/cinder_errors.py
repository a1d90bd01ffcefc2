# SPDX-License-Identifier: Apache-2.0
"""The exceptions of Cinder's own that the Datera drivers raise: what each means, and what to do."""

from __future__ import annotations

import ast
import re
from functools import cache

from cinder import exception

from reference.markdown import marked
from reference.sources import message_of, sources

PACKAGES = {
    "datera_volume": "the volume driver",
    "datera_backup": "the backup driver",
}

TOLD = {
    "BackupOperationError": (
        "What the backup knows of its volume (name, type, image properties) was written by a newer "
        "Cinder than this one. The data has been restored by then.",
        "Restore with a cinder-backup of the release that made the backup, or a newer one. Or use "
        "the restored volume, and set its name and image properties by hand.",
    ),
    "BackupRestoreCancel": (
        "While it was restored, the backup was deleted, or somebody set another status.",
        "The volume has a part of the data: delete it, or restore onto it again. If nobody meant "
        "it, look for who set the backup's status.",
    ),
    "DriverNotInitialized": (
        "A request came before the driver was set up, or its set-up has failed.",
        "The log of cinder-volume says at its start why the set-up failed: mend that, and restart "
        "cinder-volume.",
    ),
    "InvalidConfigurationValue": (
        "An option of the backend's section is missing, or its value cannot be used. The message "
        "names the option and the section.",
        "Correct it in `cinder.conf`, and restart cinder-volume.",
    ),
    "InvalidConnectorException": (
        "The host that wants to attach a volume has told no iSCSI initiator.",
        "On that host, see that `/etc/iscsi/initiatorname.iscsi` has a name and that open-iscsi is "
        "installed, and restart nova-compute or cinder-backup there.",
    ),
    "InvalidReplicationTarget": (
        "A backend should fail over, and the driver does not replicate to another cluster.",
        "Nothing was changed. Volumes come back on another cluster from their backups.",
    ),
    "InvalidVolume": (
        "The volume cannot be used for this now. Of the volume driver: a consistent snapshot of a "
        "group, of which a volume is attached. Of the backup driver: the device of the volume has "
        "no bytes.",
        "Detach the group's volumes, or take their snapshots one by one. For an empty device, look "
        "at the storage of the volume and at the log of cinder-volume: it was attached, and its "
        "size is 0.",
    ),
    "InvalidVolumeType": (
        "An extra spec of the volume's type is unknown, or its value is out of bounds; or several "
        "contradict each other.",
        "Correct the type by [the extra specs](properties.md), or take another type.",
    ),
    "ManageExistingAlreadyManaged": (
        "What should be managed already is a volume, or a snapshot, of this Cinder.",
        "Nothing: use that one. The name of a volume on the cluster ends with its ID.",
    ),
    "ManageExistingInvalidReference": (
        "The reference names nothing on the cluster, or something that cannot be a volume.",
        "Take the reference as `openstack block storage volume manageable list POOL` shows it; the "
        "message says what does not fit.",
    ),
    "ManageExistingVolumeTypeMismatch": (
        "The volume type asks for something that cannot be had for the volume as it is.",
        "Manage it with another type, or without one, and retype it afterwards.",
    ),
    "SnapshotIsBusy": (
        "The cluster refuses to delete the snapshot now, for example because a volume is being "
        "made of it. The snapshot is `available` again.",
        "Delete it again later; the reason is in the log of cinder-volume.",
    ),
    "SnapshotNotFound": (
        "The snapshot is not on the cluster, though Cinder has a record of it.",
        "See that `san_ip` and the tenant are the right ones. If the snapshot was deleted on the "
        "cluster, delete its record as well: that succeeds.",
    ),
    "VolumeBackendAPIException": (
        "The cluster refused a request, did not answer it in time, or answered something that "
        "nothing can be done with. The message names the operation, the volume, the request and "
        "the answer.",
        "Read the answer: [the volume driver's page](../volume-driver.md#troubleshooting) explains "
        "the usual ones, and [the connection's errors](#the-datera-volume-driver-and-the-"
        "connection-to-a-cluster) all.",
    ),
    "VolumeIsBusy": (
        "The cluster refuses to delete the volume now. The volume is `available` again.",
        "Delete it again later; the reason is in the log of cinder-volume.",
    ),
    "VolumeNotFound": (
        "The volume is not on the cluster, though Cinder has a record of it.",
        "See that `san_ip` and the tenant are the right ones, and whether "
        "`datera_tenant_id` was changed; [the volume "
        "driver's page](../volume-driver.md#troubleshooting) says when it counts as deleted.",
    ),
}
"""By an exception's name: what it means, and what to do."""


@cache
def raised() -> dict[str, dict[str, tuple[str, ...]]]:
    """The exceptions by name: who raises each, and with which messages."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for source in sources():
        for call in source.calls if source.package in PACKAGES else ():
            match call:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="exception"), attr=name)):
                    of_it = found.setdefault(name, {})
                    said = _said(name, call)
                    so_far = of_it.get(source.package, ())
                    of_it[source.package] = (*so_far, *({said} - {"", *so_far}))
    return found


def _said(name: str, call: ast.Call) -> str:
    """The message: Cinder's own words, with ours for what is put in."""
    words = str(getattr(exception, name).message)
    if call.args:
        words = message_of(call.args[0]) or words
    for given in call.keywords:
        words = words.replace(f"%({given.arg})s", message_of(given.value) or "…")
    return re.sub(r"%\((\w+)\)s", lambda found: found[1].upper(), words)


def text() -> str:
    """All of them, as Markdown."""
    parts = []
    for name, by in sorted(raised().items()):
        meaning, remedy = TOLD[name]
        who = " and ".join(PACKAGES[package] for package in sorted(by, reverse=True))
        parts += [f"### {name}", "", f"{marked(meaning)} *Raised by {who}.*", ""]
        parts += [f"What to do: {remedy}", ""]
        messages = [" ".join(one.split()) for said in by.values() for one in said]
        parts += [*(f"- `` {one} ``" for one in messages), ""]
    return "\n".join(parts)
