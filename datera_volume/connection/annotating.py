# SPDX-License-Identifier: Apache-2.0
"""The few words that clients may keep beside an app instance: its metadata."""

from __future__ import annotations

from collections.abc import Mapping

from datera_volume.connection.asking import Asking
from datera_volume.connection.model import AppInstance
from datera_volume.connection.paths import child

# Characters of all keys and values together; what the product accepts, as other clients found out.
MOST_CHARACTERS = 2048


def annotate(asking: Asking, ai: AppInstance, words: Mapping[str, str]) -> None:
    """Set these keys beside those that are there.

    :raises RequestRefused: there are too many characters in all.
    """
    if asking.dialect.ecosystem_data:
        asking.put(child(ai.path, "int_ecosystem_data"), {"data": dict(words)})
    else:
        asking.put(child(ai.path, "metadata"), dict(words))


def words_of(asking: Asking, ai: AppInstance) -> dict[str, str]:
    """Return the keys and values; values come back as texts, whatever the product makes of them."""
    name = "int_ecosystem_data" if asking.dialect.ecosystem_data else "metadata"
    return {key: str(value) for key, value in asking.get(child(ai.path, name)).items()}
