# SPDX-License-Identifier: Apache-2.0
"""Images kept on the cluster, so that volumes made from them are clones.

An image is kept in an app instance named after it, in the tenant of the volume that it was first
fetched for. Its description says of which state of the image it is, and is written last: without it
the copy is not complete. Whoever deletes such an app instance loses nothing but time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from datera_volume import naming
from datera_volume.connection import AppInstance, NewAppInstance, NotOnCluster, Tenant
from datera_volume.policies import Policies

GIB = 2**30
FOR_EVERYBODY = ("public", "community")
FOR_ITS_OWNER = "private"
SIGNATURE = "img_signature"


@dataclass(frozen=True)
class Image:
    """An image that can be kept.

    :param changed: when it was last changed, in UTC.
    """

    id: str
    changed: datetime
    size_gib: int

    @property
    def name(self) -> str:
        """What its app instance is called."""
        return naming.image_name(self.id)

    @property
    def mark(self) -> str:
        """What the complete copy is described as; another state of the image has another."""
        return mark_of(self.id, self.changed)


def image_in(meta: Mapping[str, Any], project_id: str) -> Image | None:
    """Return an image of Glance's if it may be kept, and cloned from for this project.

    Only a raw one: any other has to be converted each time, which checks it. Not a signed one:
    Cinder verifies the signature as it fetches. A private one only for the project that owns it; of
    a shared one Glance has already said that the project may see it.
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
    return Image(str(meta["id"]), changed, math.ceil(size / GIB))


def changed_at(meta: Mapping[str, Any]) -> datetime | None:
    """Return when an image of Glance's was last changed, in UTC; None where it does not say."""
    changed = meta.get("updated_at")
    if not isinstance(changed, datetime):
        return None
    # Glance's times are UTC; without a zone they are so all the same, wherever this host is.
    utc = changed.astimezone(timezone.utc) if changed.tzinfo else changed
    return utc.replace(tzinfo=None)


def mark_of(image_id: str, changed: datetime) -> str:
    """Return what the complete copy of this state of an image is described as."""
    return f"Image {image_id} of {changed:%Y%m%dT%H%M%S}"


def kept(tenant: Tenant, image: Image) -> AppInstance | None:
    """Return the complete copy of this state of an image; what else has its name is deleted."""
    try:
        ai = tenant.app_instance(image.name)
    except NotOnCluster:
        return None
    if ai.descr == image.mark:
        return ai
    tenant.delete_app_instance(ai)
    return None


def begun(tenant: Tenant, image: Image, policies: Policies) -> AppInstance:
    """Return a new app instance for a copy of the image, which is not complete yet."""
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
