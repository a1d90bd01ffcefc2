# SPDX-License-Identifier: Apache-2.0
"""Paths on the cluster: of resources, escaped for a URL, and of tenants."""

from __future__ import annotations

from urllib.parse import quote

from datera_volume.connection.errors import RequestRefused

ROOT = "/root"

# What RFC 3986 allows in a segment; everything else would change the request.
_SEGMENT_SAFE = "!$&'()*+,;=:@"


def segment(name: str) -> str:
    """Validate one name or id, which becomes one segment of a path.

    :raises RequestRefused: it would change the path.
    """
    if not name or name in {".", ".."} or "/" in name:
        raise RequestRefused(f"{name!r} cannot be the name or the id of anything on a cluster")
    return name


def escaped(path: str) -> str:
    """Return a resource's path escaped for a URL: no segment can change the request.

    :raises RequestRefused: a segment is empty, ``.`` or ``..``.
    """
    return "/" + "/".join(
        quote(segment(part), safe=_SEGMENT_SAFE) for part in path.strip("/").split("/")
    )


def child(path: str, *names: str) -> str:
    """Return the path of a child, each name one segment."""
    return "/".join([path.rstrip("/"), *(segment(name) for name in names)])


def last_segment(path: str | None) -> str:
    """Return the name that a path ends with; an empty text where there is none."""
    return (path or "").rsplit("/", 1)[-1]


def tenant_path(tenant: str | None) -> str:
    """Return a tenant's absolute path.

    None and an empty text are ``/root``; ``x``, ``root/x`` and ``/root/x`` are all ``/root/x``.

    :raises RequestRefused: it is not a valid tenant path, or the API's path of a tenant.
    """
    parts = [segment(part) for part in (tenant or "").strip().strip("/").split("/") if part]
    if parts[0:1] == ["tenants"] and len(parts) > 1:
        # The path of a tenant below one named "tenants" begins with /root.
        meant = "/".join([ROOT, *(parts[2:] if parts[1] == "root" else parts[1:])])
        raise RequestRefused(
            f"{tenant!r} is the API's path of the tenant {meant}: write that instead"
        )
    if parts and parts[0] == "root":
        parts = parts[1:]
    return "/".join([ROOT, *parts])
