# SPDX-License-Identifier: Apache-2.0
"""Images cached on the cluster, so that volumes can be cloned from them.

An image is cached in an app instance named after it, in the tenant of the volume that it was first
fetched for. Its description identifies the version of the image, and is written last: without it
the copy is incomplete. Such an app instance can be deleted at any time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from oslo_utils import units

from datera_volume.connection import AppInstance, NewAppInstance, NotOnCluster, Tenant
from datera_volume.operations import naming
from datera_volume.policies import Policies

FOR_EVERYBODY = ("public", "community")
FOR_ITS_OWNER = "private"
SIGNATURE = "img_signature"


@dataclass(frozen=True)
class Image:
    """An image that can be cached.

    :param changed: when it was last updated, in UTC.
    """

    id: str
    changed: datetime
    size_gib: int

    @property
    def name(self) -> str:
        """The name of its app instance."""
        return naming.image_name(self.id)

    @property
    def mark(self) -> str:
        """The description of a complete copy, unique to this version of the image."""
        return mark_of(self.id, self.changed)


def cacheable_image(meta: Mapping[str, Any], project_id: str) -> Image | None:
    """Return a Glance image if it may be cached, and cloned from for this project; else None.

    Raw images only: others must be converted each time, which checks them. Not signed ones: Cinder
    verifies the signature on each fetch. Private ones only for their owner; for a shared one Glance
    has already checked that the project may see it.
    """
    changed, size = changed_at(meta), meta.get("size")
    visibility = meta.get("visibility") or ("public" if meta.get("is_public") else FOR_ITS_OWNER)
    if (
        meta.get("status", "active") != "active"
        or str(meta.get("disk_format")).lower() != "raw"
        or meta.get("container_format") not in (None, "bare")
        or SIGNATURE in (meta.get("properties") or {})
        or (visibility == FOR_ITS_OWNER and meta.get("owner") != project_id)
        or changed is None
        or not isinstance(size, int)
        or size <= 0
    ):
        return None
    return Image(str(meta["id"]), changed, math.ceil(size / units.Gi))


def changed_at(meta: Mapping[str, Any]) -> datetime | None:
    """Return when an image was last updated, in UTC; None where that is missing."""
    changed = meta.get("updated_at")
    if not isinstance(changed, datetime):
        return None
    # Glance's times are UTC, with or without a time zone.
    utc = changed.astimezone(timezone.utc) if changed.tzinfo else changed
    return utc.replace(tzinfo=None)


def mark_of(image_id: str, changed: datetime) -> str:
    """Return the description of a complete copy of this version of an image."""
    return f"Image {image_id} of {changed:%Y%m%dT%H%M%S}"


def cached(tenant: Tenant, image: Image) -> AppInstance | None:
    """Return the complete copy of this version of an image; any other copy is deleted."""
    try:
        ai = tenant.app_instance(image.name)
    except NotOnCluster:
        return None
    if ai.descr == image.mark:
        return ai
    with suppress(NotOnCluster):  # creating another of its name will fail if it is not gone
        tenant.delete_app_instance(ai)
    return None


def create_incomplete(tenant: Tenant, image: Image, policies: Policies) -> AppInstance:
    """Create an app instance for a copy of the image, which is incomplete yet."""
    return tenant.create_app_instance(
        NewAppInstance(
            name=image.name,
            size_gib=image.size_gib,
            replica_count=policies.replica_count,
            placement_mode=policies.placement_mode,
            placement_policy=policies.placement_policy,
            ip_pool=policies.ip_pool(),
            descr=f"Image {image.id} while it is fetched",
        )
    )
