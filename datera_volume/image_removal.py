# SPDX-License-Identifier: Apache-2.0
"""Taking the copies of images off the cluster that Glance no longer has.

Done when an image has just been fetched: then the copies become more, and Glance is there. It costs
little each time, for only a few copies are looked at, chosen at random. A copy goes only if this
Cinder's backend has made it, nobody uses it and no snapshot hangs on it; and only if Glance says to
somebody who sees all images that this one does not exist, or is another by now. Any other answer
leaves all as it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cinder import context as cinder_context
from cinder import exception, service_auth
from oslo_log import log as logging

from datera_volume import images, naming
from datera_volume.connection import AppInstance, Tenant

LOG = logging.getLogger(__name__)

MOST_LOOKED_AT = 5
# The word beside a copy that says which backend of which Cinder has made it.
MADE_BY = "cinder_service"
ADMIN = "admin"

Show = Callable[[str], Mapping[str, Any]]


def outdated(tenant: Tenant, maker: str, present: images.Image, show: Show) -> list[AppInstance]:
    """Return some copies that nobody will clone from again.

    :param maker: what stands beside the copies that this backend has made.
    :param present: an image that Glance has.
    :param show: asks Glance for an image, as somebody who sees all of them.
    :raises Exception: Glance's answer is of no use.
    """
    found = list(_candidates(tenant, present))
    chosen = random.sample(found, min(MOST_LOOKED_AT, len(found)))
    ours = [ai for ai in chosen if tenant.annotations(ai).get(MADE_BY) == maker]
    old = [ai for ai in ours if not _is_current(ai, show)]
    if old:
        # Whoever stands in for a Glance that is away may say of every image that there is none.
        show(present.id)
    return old


def seeing_all(context: Any) -> Any:
    """Return a context in which Glance hides no image; None where there is none.

    Any other is told of an image of another project's that it does not exist.
    """
    if context is not None and context.is_admin and context.auth_token:
        return context
    service = service_auth.get_service_auth_plugin()
    if context is None or service is None:
        return None
    if ADMIN not in service.get_access(service_auth.get_service_session()).role_names:
        return None
    return cinder_context.RequestContext(
        is_admin=True,
        overwrite=False,
        user_auth_plugin=service,
        service_catalog=context.service_catalog,
    )


def _candidates(tenant: Tenant, present: images.Image) -> Iterator[AppInstance]:
    for ai in tenant.app_instances(rf"{naming.IMAGE}-{naming.UUID}"):
        # What is still being fetched lets a host in, and is locked; else a dead process left it.
        state = r"( of \d{8}T\d{6}| while it is fetched)"
        if (
            re.fullmatch(f"Image {naming.id_in(ai.name)}{state}", ai.descr)
            and ai.name != present.name
            and unused(ai)
        ):
            yield ai


def unused(ai: AppInstance) -> bool:
    """Whether nobody is let in to a copy, and no snapshot hangs on it."""
    storage = ai.storage_instance
    return not (storage.initiators or storage.initiator_groups or ai.volume.snapshots)


def _is_current(ai: AppInstance, show: Show) -> bool:
    image_id = naming.id_in(ai.name) or ""
    try:
        meta = show(image_id)
    except exception.ImageNotFound:
        return False
    changed = images.changed_at(meta)
    return changed is None or images.mark_of(image_id, changed) == ai.descr
