# SPDX-License-Identifier: Apache-2.0
"""Image lookups in Glance with a context that sees every image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cinder import context as cinder_context
from cinder import exception, service_auth

ADMIN = "admin"


def shown(image_service: Any, context: Any, image_id: str) -> Mapping[str, Any] | None:
    """Return an image's properties; None where Glance says that it does not exist.

    :param context: the request context, see `seeing_all`.
    :raises Exception: Glance did not respond.
    """
    try:
        found: Mapping[str, Any] = image_service.show(context, image_id)
    except exception.ImageNotFound:
        return None
    return found


def seeing_all(context: Any) -> Any:
    """Return a context that sees every image; None where none is available.

    With any other, Glance reports another project's image as not existing.
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
