# SPDX-License-Identifier: Apache-2.0
"""The policies of a volume type: extra specs ``DF:name``, and QoS specs with or without the scope.

A new volume must get exactly what its type sets: an invalid value or an unknown name is refused,
with the name of the spec. For an existing volume only what is needed is read: its type may have
been written for another driver.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from oslo_utils import strutils

from datera_volume.connection import NAME_RULE, is_name, is_reference

SCOPE = "DF:"

MOST_IOPS = 10_000_000
MOST_BANDWIDTH = 10_240_000
REPLICAS = range(1, 6)
PLACEMENT_MODES = ("hybrid", "single_flash", "all_flash")
LIMITS = {
    "read_iops_max": MOST_IOPS,
    "write_iops_max": MOST_IOPS,
    "total_iops_max": MOST_IOPS,
    "read_bandwidth_max": MOST_BANDWIDTH,
    "write_bandwidth_max": MOST_BANDWIDTH,
    "total_bandwidth_max": MOST_BANDWIDTH,
}
PER_GB = {"iops_per_gb": "total_iops_max", "bandwidth_per_gb": "total_bandwidth_max"}
DEFAULT_REPLICAS = 3
DEFAULT_PLACEMENT_MODE = "hybrid"
DEFAULT_PLACEMENT_POLICY = "default"
DEFAULT_POOL = "default"
DEFAULT_STORAGE_NAME = "storage-1"
DEFAULT_VOLUME_NAME = "volume-1"
SETTINGS = frozenset(
    {
        "replica_count",
        "round_robin",
        "acl_allow_all",
        "placement_mode",
        "placement_policy",
        "ip_pool",
        "template",
        "default_storage_name",
        "default_volume_name",
        *LIMITS,
        *PER_GB,
    }
)


class BadPolicy(ValueError):
    """An extra spec or QoS spec is invalid; the message names it."""


@dataclass(frozen=True)
class Limits:
    """The QoS limits of a volume.

    :param maxima: by the cluster's names, 0 for unlimited; IOPS, and bandwidths in KiB/s.
    :param per_gb: totals per GiB of a volume's size, by the name of the total.
    """

    maxima: Mapping[str, int] = field(default_factory=dict)
    per_gb: Mapping[str, int] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return self.follow_size or any(self.maxima.values())

    @property
    def follow_size(self) -> bool:
        """Whether they change when a volume is extended."""
        return any(self.per_gb.values())

    def for_size(self, size_gib: int) -> dict[str, int]:
        """Return the limits of a volume of this size; a limit per GB never exceeds its total."""
        limits = {name: value for name, value in self.maxima.items() if value}
        for total, rate in self.per_gb.items():
            if rate:
                scaled = min(rate * size_gib, LIMITS[total])
                limits[total] = min(scaled, limits.get(total, scaled))
        return limits


@dataclass(frozen=True)
class Policies:
    """The properties that a type sets for a new volume.

    :param placement_mode: None leaves it to the cluster.
    :param placement_policy: None leaves it to the cluster.
    :param ip_pools: one of them is chosen for a new volume.
    :param open_to_all: every initiator may log in, for the lifetime of the volume.
    :param template: name of the app template that a new volume is created from; its replicas,
        placement and pool then apply instead.
    :param storage_name: name of a new volume's storage instance.
    :param volume_name: name of the volume in it.
    """

    replica_count: int = DEFAULT_REPLICAS
    placement_mode: str | None = None
    placement_policy: str | None = None
    ip_pools: tuple[str, ...] = (DEFAULT_POOL,)
    round_robin: bool = False
    open_to_all: bool = False
    template: str | None = None
    storage_name: str = DEFAULT_STORAGE_NAME
    volume_name: str = DEFAULT_VOLUME_NAME
    limits: Limits = field(default_factory=Limits)

    def ip_pool(self, choose: Callable[[Sequence[str]], str] = random.choice) -> str:
        """Return one of the pools."""
        return choose(self.ip_pools)


def values_of_type(
    extra_specs: Mapping[str, str], qos_specs: Mapping[str, str], defaults: Mapping[str, str]
) -> dict[str, str]:
    """Return the specs of a type by name, without the scope.

    QoS specs take precedence over extra specs, and these over the defaults. Extra specs of other
    scopes, and unscoped ones, are ignored.
    """
    scoped = {
        key[len(SCOPE) :]: value for key, value in extra_specs.items() if key.startswith(SCOPE)
    }
    qos = {key.removeprefix(SCOPE): value for key, value in qos_specs.items()}
    ours = {key: value for key, value in qos.items() if key in LIMITS or key in PER_GB}
    ours |= {
        key.removeprefix(SCOPE): value for key, value in qos_specs.items() if key.startswith(SCOPE)
    }
    return {**defaults, **scoped, **ours}


def policies_from(values: Mapping[str, str], *, one_replica: bool = False) -> Policies:
    """Return the policies for a new volume from specs without the scope.

    :raises BadPolicy: a name is unknown or a value is invalid.
    """
    for name in unknown_in(values):
        raise BadPolicy(f"{SCOPE}{name} is not an extra spec of this driver")
    mode = values.get("placement_mode") or None
    if mode is not None and mode not in PLACEMENT_MODES:
        raise BadPolicy(
            f"{SCOPE}placement_mode is {mode!r}; it must be one of {', '.join(PLACEMENT_MODES)}"
        )
    pools = tuple(p.strip() for p in values.get("ip_pool", "").split(",") if p.strip())
    for pool in pools:
        _reference({"ip_pool": pool}, "ip_pool")
    replicas = _number(values, "replica_count", DEFAULT_REPLICAS, REPLICAS[0], REPLICAS[-1])
    return Policies(
        replica_count=1 if one_replica else replicas,
        placement_mode=mode,
        placement_policy=_reference(values, "placement_policy"),
        ip_pools=pools or (DEFAULT_POOL,),
        round_robin=round_robin_in(values),
        open_to_all=_truth(values, "acl_allow_all"),
        template=template_in(values),
        storage_name=_name(values, "default_storage_name", DEFAULT_STORAGE_NAME),
        volume_name=_name(values, "default_volume_name", DEFAULT_VOLUME_NAME),
        limits=limits_in(values),
    )


def unknown_in(values: Mapping[str, str]) -> list[str]:
    """Return the names that are not specs of this driver."""
    return [name for name in values if name not in SETTINGS]


def limits_in(values: Mapping[str, str]) -> Limits:
    """Return the QoS limits among the specs, ignoring all others.

    :raises BadPolicy: the value of a limit is invalid.
    """
    return Limits(
        maxima={name: _number(values, name, 0, 0, most) for name, most in LIMITS.items()},
        per_gb={
            total: _number(values, name, 0, 0, LIMITS[total]) for name, total in PER_GB.items()
        },
    )


def round_robin_in(values: Mapping[str, str]) -> bool:
    """Return whether to use a random portal, ignoring all other specs.

    :raises BadPolicy: the value is neither true nor false.
    """
    return _truth(values, "round_robin")


def template_in(values: Mapping[str, str]) -> str | None:
    """Return the name of the template, ignoring all other specs.

    :raises BadPolicy: it is not a valid name.
    """
    return _reference(values, "template")


def _truth(values: Mapping[str, str], name: str) -> bool:
    # Cinder's own syntax in an extra spec is "<is> True".
    text = str(values.get(name, "False")).strip().removeprefix("<is>").strip()
    try:
        return bool(strutils.bool_from_string(text, strict=True))
    except ValueError:
        raise BadPolicy(f"{SCOPE}{name} is {text!r}; it must be True or False") from None


def _name(values: Mapping[str, str], name: str, default: str) -> str:
    text = str(values.get(name) or default).strip()
    if not is_name(text):
        raise BadPolicy(f"{SCOPE}{name} is {text!r}; it must be {NAME_RULE}")
    return text


def _reference(values: Mapping[str, str], name: str) -> str | None:
    text = str(values.get(name) or "").strip()
    if text and not is_reference(text):
        raise BadPolicy(f"{SCOPE}{name} is {text!r}, which cannot be a name on the cluster")
    return text or None


def _number(values: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = str(values.get(name, default)).strip()
    # What Python accepts beyond that, such as 1_000 or digits of other scripts, is a mistake.
    if not re.fullmatch(r"-?[0-9]{1,20}", text):
        raise BadPolicy(f"{SCOPE}{name} is {text!r}, which is not a whole number in digits 0 to 9")
    number = int(text)
    if not least <= number <= most:
        raise BadPolicy(f"{SCOPE}{name} is {number}; it must be from {least} to {most}")
    return number
