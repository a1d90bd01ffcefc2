# SPDX-License-Identifier: Apache-2.0
"""Every property of a backup, extra spec and notification, from constants and tables."""

from __future__ import annotations

import ast
import re
from typing import Any

from datera_volume.capabilities import vendor_properties
from reference.markdown import marked
from reference.sources import Constant, constants, sources

_PROPERTY = re.compile(r"\b(?:The|A) property of a backup\b")
_EXTRA_SPEC = re.compile(r"\bextra spec of a volume type\b")
_NOTIFIERS = {
    "notify_about_backup_usage": "backup",
    "notify_about_volume_usage": "volume",
    "notify_about_snapshot_usage": "snapshot",
}


def properties() -> list[Constant]:
    """The properties of backups, by their names."""
    found = [one for one in constants() if _PROPERTY.search(one.told)]
    return sorted(found, key=lambda one: one.value)


def extra_specs() -> dict[str, dict[str, Any]]:
    """The extra specs of volume types, described as in JSON schema."""
    found: dict[str, dict[str, Any]] = {
        one.value: {"type": "string", "description": one.told}
        for one in constants()
        if _EXTRA_SPEC.search(one.told)
    }
    return found | vendor_properties({}, one_replica=False)


def notifications() -> list[str]:
    """The types of the events that are sent through Cinder's notifications."""
    found = set()
    for source in sources():
        for node in source.calls:
            subject = _NOTIFIERS.get(getattr(node.func, "attr", ""))
            found |= {
                f"{subject}.{word.value}"
                for word in node.args
                if subject and isinstance(word, ast.Constant) and isinstance(word.value, str)
            }
    return sorted(found)


def properties_text() -> str:
    """The properties of backups, as Markdown."""
    parts = []
    for one in properties():
        parts += [f"### {one.value}", "", marked(one.told), ""]
    return "\n".join(parts)


def extra_specs_text() -> str:
    """The extra specs, as Markdown."""
    parts = []
    for name, described in extra_specs().items():
        words = [str(described["type"])]
        if "minimum" in described:
            words[0] = f"whole number, {described['minimum']:,} to {described['maximum']:,}"
        if "enum" in described:
            words[0] = "one of " + ", ".join(f"`{value}`" for value in described["enum"])
        if described.get("default") not in (None, ""):
            words.append(f"default: `{described['default']}`")
        parts += [f"### {name}", "", f"*{'; '.join(words)}*", ""]
        parts += [marked(str(described["description"])), ""]
    return "\n".join(parts)


def notifications_text() -> str:
    """The notifications, as Markdown."""
    return "\n".join(f"- `{name}`" for name in notifications())
