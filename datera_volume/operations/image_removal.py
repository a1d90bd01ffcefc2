# SPDX-License-Identifier: Apache-2.0
"""Removing cached copies of images that were deleted from Glance or changed.

This is done after an image was fetched: then the cache grows, and Glance is reachable. Each time
only a few copies are checked, chosen at random. A copy is deleted only if this Cinder's backend
created it, it has no access and no snapshots; and only if Glance reports, in a context that sees
all images, that the image does not exist or has changed. Anything else changes nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from datera_volume.connection import AppInstance, Tenant
from datera_volume.operations import images, naming

MOST_LOOKED_AT = 5
# The metadata key of the service that created a copy.
MADE_BY = "cinder_service"

Show = Callable[[str], Mapping[str, Any] | None]
"""Returns an image's properties by its id; None where Glance says that it does not exist."""


def outdated(tenant: Tenant, maker: str, present: images.Image, show: Show) -> list[AppInstance]:
    """Return some outdated copies.

    :param maker: uuid of this backend's service.
    :param present: an image that exists in Glance.
    :param show: looks an image up in Glance, in a context that sees all images.
    :raises Exception: Glance's response cannot be relied on.
    """
    found = list(_candidates(tenant, present))
    chosen = random.sample(found, min(MOST_LOOKED_AT, len(found)))
    ours = [ai for ai in chosen if tenant.metadata(ai).get(MADE_BY) == maker]
    old = [ai for ai in ours if not _is_current(ai, show)]
    # A proxy in front of an unreachable Glance may respond with 404 for every image.
    if old and show(present.id) is None:
        raise LookupError(f"Glance reports that image {present.id} does not exist")
    return old


def _candidates(tenant: Tenant, present: images.Image) -> Iterator[AppInstance]:
    for ai in tenant.app_instances(rf"{naming.IMAGE}-{naming.UUID}"):
        # An image that is being fetched is attached and locked; otherwise a process has exited.
        state = r"( of \d{8}T\d{6}| while it is fetched)"
        if (
            re.fullmatch(f"Image {naming.id_in(ai.name)}{state}", ai.descr)
            and ai.name != present.name
            and unused(ai)
        ):
            yield ai


def unused(ai: AppInstance) -> bool:
    """Whether a copy has an empty ACL and no snapshots."""
    return not (ai.has_initiators or ai.volume.snapshots)


def _is_current(ai: AppInstance, show: Show) -> bool:
    image_id = naming.id_in(ai.name) or ""
    meta = show(image_id)
    if meta is None:
        return False
    changed = images.changed_at(meta)
    return changed is None or images.mark_of(image_id, changed) == ai.descr
