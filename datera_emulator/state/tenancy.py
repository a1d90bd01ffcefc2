# SPDX-License-Identifier: Apache-2.0
"""Tenants' paths: absolute, under /root, in the several spellings that clients use."""

from __future__ import annotations

ROOT = "/root"


def canonical(path: str) -> str:
    """Return ``/root/x`` for ``/root/x``, ``root/x`` and ``/tenants/root/x``."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["tenants"]:
        parts = parts[1:]
    return "/" + "/".join(parts)


def ancestors(path: str) -> list[str]:
    """Return the tenants above this one, the nearest first."""
    above = []
    while path != ROOT and path.count("/") > 1:
        path = path.rsplit("/", 1)[0]
        above.append(path)
    return above
