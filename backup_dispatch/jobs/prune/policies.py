# SPDX-License-Identifier: Apache-2.0
"""The policies in cinder.conf: which one counts for which backup.

A section is only read where ``backup_dispatch_retention`` names it, and then every line of it must
be understood: a misspelled ``keep_dayly`` would delete what should be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from cinder import exception
from oslo_config import cfg

from backup_dispatch import opts
from backup_dispatch.backends.unread_options import names_in
from backup_dispatch.errors import ConfigurationInvalid
from backup_dispatch.jobs.prune.policy import COUNTS, NAMES, Policy, PolicyInvalid, count, span

_KEEP = "keep_"
_PREFIX = "name_prefix"
_TYPE = "volume_type"

_EACH = "The newest of each {0} is kept, for as many {0}s that have a backup; or unlimited."
_KEPT = {
    "last": "Number of the newest that are kept; or unlimited.",
    **{f"{name}ly": _EACH.format(name) for name in ("hour", "week", "month", "year")},
    "daily": _EACH.format("day"),
    "within": "All are kept that are older than the newest by less than this: 12h, 14d, 8w, 1y6m.",
}

SECTION_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(_PREFIX, help="Counts for backups whose name begins with this, in this case."),
    cfg.StrOpt(_TYPE, help="Counts for backups of volumes of this type."),
    *(cfg.StrOpt(f"{_KEEP}{name}", help=_KEPT[name]) for name in NAMES),
]


@dataclass(frozen=True)
class NamedPolicy:
    """A policy and whom it concerns.

    :ivar name: the section's.
    :ivar prefix: of the backup's name; None for any.
    :ivar volume_type: the ID of the volume's type; None for any.
    """

    name: str
    policy: Policy
    prefix: str | None = None
    volume_type: str | None = None

    def counts_for(self, name: str | None, volume_type: str | None) -> bool:
        """Whether it counts for a backup of this name, of a volume of this type."""
        if self.prefix is not None and not (name or "").startswith(self.prefix):
            return False
        return self.volume_type is None or self.volume_type == volume_type


def policy_of(values: Mapping[str, str | None]) -> Policy:
    """The policy that these texts make, by the names of :data:`NAMES`; None is not set.

    :raises PolicyInvalid: one of them cannot be read; the message begins with its name.
    """
    read: dict[str, Any] = {}
    for name, text in values.items():
        if text is None:
            continue
        try:
            read[name] = count(text) if name in COUNTS else span(text)
        except PolicyInvalid as invalid:
            raise PolicyInvalid(f"{_KEEP}{name}: {invalid}") from None
    return Policy(**read)


def configured_policies(conf: Any, context: Any) -> list[NamedPolicy]:
    """The policies in cinder.conf, in their order.

    :param context: an administrator's, to look up volume types.
    :raises ConfigurationInvalid: one cannot be used.
    """
    return [_read(conf, section, context) for section in conf[opts.RETENTION]]


def _read(conf: Any, section: str, context: Any) -> NamedPolicy:
    given = names_in(conf, section)
    if not given:
        raise ConfigurationInvalid(
            f"[DEFAULT] {opts.RETENTION} names {section}, and there is no section [{section}] with "
            "a policy. Correct the name, or write the section."
        )
    known = [opt.dest for opt in SECTION_OPTS]
    for name in given:
        if name not in known:
            (nearest,) = get_close_matches(name, known, n=1, cutoff=0)
            raise ConfigurationInvalid(
                f"[{section}] {name}: a policy has no such option; the nearest is {nearest}. "
                "Correct the name, or take the line out."
            )
    conf.register_opts(SECTION_OPTS, group=section)
    values = conf[section]
    try:
        policy = policy_of({name: values[f"{_KEEP}{name}"] for name in NAMES})
    except PolicyInvalid as invalid:
        raise ConfigurationInvalid(f"[{section}] {invalid}.") from None
    if not any(name.startswith(_KEEP) for name in given):
        raise ConfigurationInvalid(
            f"[{section}] says nothing of what is kept. Set {_KEEP}last, {_KEEP}daily or another."
        )
    named_type = values[_TYPE]
    volume_type = _type_id(context, section, named_type) if named_type is not None else None
    return NamedPolicy(section, policy, values[_PREFIX], volume_type)


def _type_id(context: Any, section: str, name: str) -> str:
    # It takes half of Cinder with it, which other commands need not wait for.
    from cinder.volume import volume_types

    try:
        return str(volume_types.get_by_name_or_id(context, name)["id"])
    except exception.VolumeTypeNotFound:
        raise ConfigurationInvalid(
            f"[{section}] {_TYPE}: there is no volume type {name}. Correct the name, or take the "
            "section out."
        ) from None
