# SPDX-License-Identifier: Apache-2.0
"""What an option of cinder.conf that names a tenant means; both drivers read one vocabulary."""

from __future__ import annotations

import re

from datera_volume.connection.paths import tenant_path

_NAME = re.compile(
    "[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}|[a-zA-Z_][a-zA-Z0-9_.-]{2,63}"
)
"""The cluster's own rule."""


class BadTenant(ValueError):
    """No tenant can be called so; the text says how one can."""


def configured_tenant(setting: str | None) -> str | None:
    """Return the path of the tenant that an option means; None where each project has its own.

    :param setting: unset or ``None``: ``/root``; ``Map``: a tenant for each project, whatever the
        case; anything else: the name of a tenant below ``/root``, or its path.
    :raises BadTenant: it is none of these.
    """
    word = (setting or "").strip()
    if word.lower() == "map":
        return None
    if word.lower() in ("", "none"):
        return tenant_path(None)
    parts = [part for part in word.split("/") if part]
    for name in parts:
        if not _NAME.fullmatch(name):
            raise BadTenant(
                f"{setting!r} is no tenant's name or path: {name!r} is not 3 to 64 letters, "
                "digits, underscores, dots and dashes, the first a letter or an underscore"
            )
    return tenant_path(word)
