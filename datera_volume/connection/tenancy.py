# SPDX-License-Identifier: Apache-2.0
"""The tenant option of cinder.conf, interpreted alike for both drivers."""

from __future__ import annotations

from datera_volume.connection.errors import RequestRefused
from datera_volume.connection.names import NAME_RULE, is_name_or_uuid
from datera_volume.connection.transport.paths import tenant_path

# The tenant of a volume is stored in its ``provider_id``, a column of this length.
LONGEST_PATH = 255


class BadTenant(ValueError):
    """Not a valid tenant name or path; the message gives the rule."""


def configured_tenant(setting: str | None) -> str | None:
    """Return the path of the tenant that an option means; None where each project has its own.

    :param setting: unset or ``None``: ``/root``; ``Map``: a tenant for each project, whatever the
        case; anything else: the name of a tenant below ``/root``, or its path.
    :raises BadTenant: it is none of these.
    """
    text = (setting or "").strip()
    if text.lower() == "map":
        return None
    if text.lower() in ("", "none"):
        return tenant_path(None)
    for name in [part for part in text.split("/") if part]:
        if not is_name_or_uuid(name):
            raise BadTenant(
                f"{setting!r} is not a valid tenant name or path: {name!r} is not {NAME_RULE}"
            )
    try:
        path = tenant_path(text)
    except RequestRefused as exc:
        raise BadTenant(str(exc)) from exc
    if len(path) > LONGEST_PATH:
        raise BadTenant(
            f"{setting!r} is a path of {len(path)} characters; it must be at most {LONGEST_PATH}"
        )
    return path
