# SPDX-License-Identifier: Apache-2.0
"""Cinder's own attachment records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cinder import context as cinder_context
from cinder import objects
from cinder.volume import volume_utils

from datera_volume.connection import fold_iqn
from datera_volume.operations.attachment_tracker import Record


def attachments_of(volume_id: str) -> list[Record]:
    """Return the attachments of a volume."""
    attachments = objects.VolumeAttachmentList.get_all_by_volume_id(
        cinder_context.get_admin_context(), volume_id
    )
    return [Record(a.id, a.connector) for a in attachments]


def attached_to(
    connector: Mapping[str, Any],
    like: Any,
    *,
    but_for: str | None,
    lies_here: Callable[[Any], bool],
) -> Iterator[Any]:
    """Return the volumes that a host is attached to, of the same backend as another volume.

    A record is deleted only after the driver has detached the host: some may be about to go.

    :param like: that other volume.
    :param but_for: id of a volume to leave out.
    :param lies_here: whether a volume is in the tenant in question.
    """
    host, iqn = connector.get("host"), fold_iqn(str(connector.get("initiator")))
    if not host:
        return
    attachments = objects.VolumeAttachmentList.get_all_by_host(
        cinder_context.get_admin_context(), host
    )
    for one in attachments:
        if (
            one.volume_id != but_for
            and fold_iqn(str((one.connector or {}).get("initiator"))) == iqn
            and _backend_of(one.volume) == _backend_of(like)
            and lies_here(one.volume)
        ):
            yield one.volume


def _backend_of(volume: Any) -> str:
    return str(volume_utils.extract_host(volume.service_topic_queue))
