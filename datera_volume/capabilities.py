# SPDX-License-Identifier: Apache-2.0
"""The extra specs of this driver, as Cinder lists them for operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datera_volume.policies import (
    DEFAULT_PLACEMENT_MODE,
    DEFAULT_PLACEMENT_POLICY,
    DEFAULT_POOL,
    LIMITS,
    PER_GB,
    PLACEMENT_MODES,
    REPLICAS,
    SCOPE,
    policies_from,
)

VENDOR = SCOPE.rstrip(":")

_LIMIT_WORDS = {"iops": "IOPS", "bandwidth": "KiB/s"}


def vendor_properties(defaults: Mapping[str, str], *, one_replica: bool) -> dict[str, Any]:
    """Return the extra specs by their full names, each described as in JSON schema.

    :param defaults: the section's defaults of extra specs, validated.
    :param one_replica: every volume is created with one replica.
    """
    own = policies_from(defaults, one_replica=one_replica)
    properties = {
        "replica_count": _integer(
            "Replicas",
            "Number of replicas of a volume; it can only be increased.",
            own.replica_count,
            REPLICAS[0],
            REPLICAS[-1],
        ),
        "round_robin": _boolean(
            "Round robin",
            "Use a random portal instead of the first, without multipath.",
            own.round_robin,
        ),
        "acl_allow_all": _boolean(
            "Open to all",
            "Allow every initiator to log in, for the lifetime of the volume.",
            own.open_to_all,
        ),
        "placement_mode": {
            **_text(
                "Placement mode",
                "Placement of replicas. From product 3.3 on a placement policy takes precedence.",
                own.placement_mode or DEFAULT_PLACEMENT_MODE,
            ),
            "enum": list(PLACEMENT_MODES),
        },
        "placement_policy": _text(
            "Placement policy",
            "Name or path of the placement policy, from product 3.3 on.",
            own.placement_policy or DEFAULT_PLACEMENT_POLICY,
        ),
        "ip_pool": _text(
            "IP pool",
            "IP pool of the portals; of several, separated by commas, one is chosen at random "
            "when a volume is created.",
            defaults.get("ip_pool") or DEFAULT_POOL,
        ),
        "template": _text(
            "App template", "Name of the app template to create volumes from.", own.template or ""
        ),
        "default_storage_name": _text(
            "Storage instance",
            "Name of a new volume's storage instance; with a template, the name there.",
            own.storage_name,
        ),
        "default_volume_name": _text(
            "Volume",
            "Name of a new volume in its storage instance; with a template, the name there.",
            own.volume_name,
        ),
    }
    for name, most in LIMITS.items():
        kind, measure, _max = name.split("_")
        unit = _LIMIT_WORDS[measure]
        properties[name] = _integer(
            f"Maximum {kind} {measure}",
            f"Maximum {kind} {measure} in {unit}; 0 is unlimited.",
            own.limits.maxima[name],
            0,
            most,
        )
    for name, total in PER_GB.items():
        unit = _LIMIT_WORDS[name.split("_", maxsplit=1)[0]]
        properties[name] = _integer(
            f"{unit} per GiB",
            f"Total {unit} per GiB of the volume's size, capped at {SCOPE}{total} if that is set; "
            "0 is unlimited.",
            own.limits.per_gb[total],
            0,
            LIMITS[total],
        )
    return {f"{SCOPE}{name}": described for name, described in properties.items()}


def _integer(title: str, description: str, default: int, least: int, most: int) -> dict[str, Any]:
    return {
        "title": f"Datera {title}",
        "description": description,
        "type": "integer",
        "default": default,
        "minimum": least,
        "maximum": most,
    }


def _boolean(title: str, description: str, default: bool) -> dict[str, Any]:
    return {
        "title": f"Datera {title}",
        "description": description,
        "type": "boolean",
        "default": default,
    }


def _text(title: str, description: str, default: str) -> dict[str, Any]:
    return {
        "title": f"Datera {title}",
        "description": description,
        "type": "string",
        "default": default,
    }
