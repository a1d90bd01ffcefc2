# SPDX-License-Identifier: Apache-2.0
"""Rules for snapshot policies. They are stored and shown; no snapshots are taken by them."""

from __future__ import annotations

from collections.abc import Sequence

from datera_emulator.documents import Document
from datera_emulator.errors import ValidationFailed
from datera_emulator.state.model import SnapshotPolicy

# The array's schema lists these, and says that they are internal.
_INTERNAL = ("1min", "2min")


def checked_policies(wishes: Sequence[Document]) -> dict[str, SnapshotPolicy]:
    """Return the requested policies, by name.

    :raises ValidationFailed: two have one name, or an interval is not for users.
    """
    policies: dict[str, SnapshotPolicy] = {}
    for wish in wishes:
        if wish["name"] in policies:
            raise ValidationFailed("Two snapshot policies have one name")
        check_interval(wish)
        policies[wish["name"]] = SnapshotPolicy(**wish)
    return policies


def check_interval(wish: Document) -> None:
    """Refuse an interval that only the array itself uses.

    :raises ValidationFailed: it is one.
    """
    if wish.get("interval") in _INTERNAL:
        raise ValidationFailed(f"interval: {wish['interval']} is internal")
