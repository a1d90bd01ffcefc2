# SPDX-License-Identifier: Apache-2.0
"""Paths on the cluster: of resources, escaped for a URL, and of tenants."""

from __future__ import annotations

from urllib.parse import quote

from datera_volume.connection.errors import RequestRefused

ROOT = "/root"

# What RFC 3986 lets stand in a segment; everything else would change the request.
_SEGMENT_SAFE = "!$&'()*+,;=:@"


def segment(name: str) -> str:
    """Check one name or id, which becomes one segment of a path.

    :raises RequestRefused: it would mean something else in a path.
    """
    if not name or name in {".", ".."} or "/" in name:
        raise RequestRefused(f"{name!r} cannot be the name or the id of anything on a cluster")
    return name


def escaped(path: str) -> str:
    """Return a resource's path ready for a URL: no segment can change the request.

    :raises RequestRefused: a segment is empty, ``.`` or ``..``.
    """
    return "/" + "/".join(
        quote(segment(part), safe=_SEGMENT_SAFE) for part in path.strip("/").split("/")
    )


def child(path: str, *names: str) -> str:
    """Return the path of something below a path, each name one segment."""
    return "/".join([path.rstrip("/"), *(segment(name) for name in names)])


def tenant_path(tenant: str | None) -> str:
    """Return a tenant's absolute path.

    None and an empty text are ``/root``; ``x``, ``root/x`` and ``/root/x`` are all ``/root/x``.
    """
    parts = [segment(part) for part in (tenant or "").strip().strip("/").split("/") if part]
    if parts and parts[0] == "root":
        parts = parts[1:]
    return "/".join([ROOT, *parts])
