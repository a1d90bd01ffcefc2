# SPDX-License-Identifier: Apache-2.0
"""What is unknown about the real array, as named switches.

If one behaviour is stricter and there is no evidence for the other, the stricter one is the
default.

The facts that *are* known depend on the product's version and on the API's version: those are
:class:`Dialect`. Everything else that the emulator had to decide is a field of
:class:`Switches` or :class:`Limits`, so that a test can try the other behaviour.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """How many of each a cluster holds; one more is refused."""

    tenants: int = 64
    app_instances: int = 4096
    storage_instances: int = 2096
    storage_instances_per_app_instance: int = 256
    volumes: int = 4096
    volumes_per_storage_instance: int = 256
    snapshots: int = 16384
    snapshots_per_volume: int = 256
    initiators: int = 512
    users: int = 256
    metadata_characters: int = 2048


_WORDS = {
    "key_expiry": ("idle", "absolute"),
    "change_during_operation": ("refuse", "allow"),
    "online_delete": ("refuse", "force", "allow"),
    "initiator_case": ("distinct", "folded"),
    "list_order": ("id", "created"),
    "nested_members": ("refuse", "keep", "remove"),
    "permission_status": ("401", "403"),
    "validation_status": ("422", "400"),
    "app_instance_names": ("tenant", "cluster"),
    "match": ("search", "full"),
    "tenant_path_form": ("short", "long"),
    "default_placement_mode": ("hybrid", "single_flash", "all_flash"),
}


@dataclass(frozen=True)
class Switches:
    """The cluster's behaviour where that of an array is not recorded.

    Numbers of reads are how often an object is still shown in its transient state: they
    make clients poll, equally often on slow and fast machines.

    :raises ValueError: a switch with an enumerated value is set to another.
    """

    key_lifetime_seconds: float = 900.0
    key_expiry: str = "idle"  # or "absolute": counted from the login
    lockout_failures: int = 10  # 0: never
    lockout_seconds: float = 300.0
    wrapped_login: bool = False
    wrapped_api: bool = False
    validation_status: str = "422"  # or "400"
    snapshot_creating_reads: int = 2
    storage_unavailable_reads: int = 1
    clone_cloning_reads: int = 2
    resize_reads: int = 1
    replica_change_reads: int = 2
    placement_change_reads: int = 2
    restore_reads: int = 2
    recovery_reads: int = 2
    operation_in_op_state: bool = True
    idle_op_status_shown: bool = False
    change_during_operation: str = "refuse"  # or "allow": while another one goes on
    permission_status: str = "401"  # or "403"
    creating_snapshot_usable: bool = False
    normal_instances_clonable: bool = True
    online_delete: str = "refuse"  # or "force": allowed with force; or "allow"
    offline_needs_force_with_sessions: bool = True
    online_resize: bool | None = None  # None: as the product, from 3.0 on
    online_restore: bool = False
    shrink: bool = False
    largest_volume_gib: int = 32768
    snapshots_prevent_delete: bool = False
    restore_keeps_newer_snapshots: bool = False
    acl_removal_drops_sessions: bool = True
    parent_initiators_usable: bool = False
    initiator_case: str = "distinct"  # or "folded": names that differ in case are one
    first_subtenant_initiator_needs_force: bool = True
    initiator_in_use_deletable: bool = False
    instance_snapshots_clonable: bool = True
    nested_members: str = "refuse"  # or "keep", or "remove": those that a list does not name
    template_in_use_deletable: bool = False
    bound_ip_pool_changes: bool = False
    app_instance_names: str = "tenant"  # or "cluster": where they are unique
    metadata_merges: bool = True
    ecosystem_data_wrapped: bool = False
    list_order: str = "id"  # or "created": oldest first
    match: str = "search"  # or "full": the whole value must match
    largest_page: int = 100
    list_metadata_has_limit: bool = True
    tenant_path_form: str = "short"  # "/root/x"; or "long": "/tenants/root/x"
    default_replica_count: int = 3
    default_placement_mode: str = "hybrid"
    total_capacity_gib: int = 100 * 1024
    provisioned_counts_replicas: bool = True
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise ValueError(f"switch {name!r} is one of {', '.join(words)}")

    def changed(self, assignments: dict[str, str]) -> Switches:
        """Return these switches with some set from text, as the command line gives them.

        :raises ValueError: a name is unknown, or its text is not of the switch's type.
        """
        own = {f.name for f in dataclasses.fields(self)} - {"limits"}
        limits = {f.name for f in dataclasses.fields(self.limits)}
        changed_own: dict[str, object] = {}
        changed_limits: dict[str, int] = {}
        for name, text in assignments.items():
            if name.startswith("limits.") and name[7:] in limits:
                changed_limits[name[7:]] = int(text)
            elif name in own:
                changed_own[name] = _typed(name, text, getattr(self, name))
            else:
                raise ValueError(f"there is no switch {name!r}")
        new_limits = dataclasses.replace(self.limits, **changed_limits)
        return dataclasses.replace(self, limits=new_limits, **changed_own)  # type: ignore[arg-type]


def _typed(name: str, text: str, present: object) -> object:
    if present is None or isinstance(present, bool):
        words = {"true": True, "false": False}
        if text.lower() not in words:
            raise ValueError(f"switch {name!r} is true or false, not {text!r}")
        return words[text.lower()]
    if isinstance(present, int):
        return int(text)
    if isinstance(present, float):
        return float(text)
    return text


def product_version(text: str) -> tuple[int, ...]:
    """Return a product version as numbers that compare.

    :raises ValueError: it is not dotted integers.
    """
    parts = text.split(".")
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"software version {text!r} is not dotted integers")
    return tuple(int(part) for part in parts)


@dataclass(frozen=True)
class Dialect:
    """The known differences between API versions and product versions."""

    api: str  # "v2.1", "v2.2" or "v2.3"
    product: tuple[int, ...]

    @property
    def pages(self) -> bool:
        """Lists come in pages, and their metadata say so."""
        return self.api != "v2.1"

    @property
    def initiator_force(self) -> bool:
        """Initiators may be created with ``force``."""
        return self.api != "v2.1" and self.product >= (3,)

    @property
    def placement_policies(self) -> bool:
        """Volumes have a placement policy besides their placement mode."""
        return self.api != "v2.1" and self.product >= (3, 3)

    @property
    def template_override(self) -> bool:
        """What comes from a template may be overridden, and grow afterwards."""
        return self.product >= (3, 3)

    @property
    def ecosystem_data(self) -> bool:
        """Metadata are ``int_ecosystem_data`` instead of ``metadata``."""
        return self.product >= (3, 3)

    @property
    def counts_filtered(self) -> bool:
        """``total_count`` counts what the filter let through."""
        return self.product >= (3, 3)

    @property
    def online_resize(self) -> bool:
        """Volumes may grow while they are online."""
        return self.product >= (3,)


def served_versions(product: tuple[int, ...]) -> list[str]:
    """Return the API versions that a product of this version serves here."""
    served = ["v2.1"]
    if product >= (3,):
        served.append("v2.2")
    if product >= (3, 3):
        served.append("v2.3")
    return served
