# SPDX-License-Identifier: Apache-2.0
"""Options in ``[DEFAULT]`` with our prefixes that do not exist.

oslo.config ignores unknown options: a misspelled ``backup_datera_ssl_cert_verify`` would silently
leave certificates unverified. Options without one of our prefixes are not checked: cinder-volume,
cinder-api and others read the same ``[DEFAULT]``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from importlib import metadata
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging

from backup_dispatch.backends.loading import NAMESPACE
from backup_dispatch.backends.unread_options import names_in, spellings_of
from backup_dispatch.errors import ConfigurationInvalid, reason_of

LOG = logging.getLogger(__name__)

PREFIXES = ("backup_datera_", "backup_dispatch_", "enabled_backup_")
"""The prefixes of the options of the dispatcher and of this distribution's drivers."""

_OPTIONS = "oslo.config.opts"


def ours_in_default(conf: Any) -> tuple[str, ...]:
    """The names that the configuration files set in ``[DEFAULT]`` and that begin with a prefix."""
    return tuple(name for name in names_in(conf, "DEFAULT") if _is_ours(name))


def refuse_unknown(names: Collection[str]) -> None:
    """Refuse names of options that do not exist.

    The registered options exist, and those of every installed backend: a driver's options may
    stay in cinder.conf while it is not enabled.

    :param names: as returned by :func:`ours_in_default`.
    :raises ConfigurationInvalid: naming the first such option and the closest existing one.
    """
    known = spellings_of(info["opt"] for info in cfg.CONF._opts.values())
    if known.issuperset(names):
        return
    known |= spellings_of(_told_by_distributions())
    for name in names:
        if name not in known:
            ours = sorted(one for one in known if _is_ours(one))
            (nearest,) = get_close_matches(name, ours, n=1, cutoff=0)
            raise ConfigurationInvalid(
                f"[DEFAULT] {name}: there is no such option; the nearest is {nearest}. "
                "Correct the name, or take the line out."
            )


def _is_ours(name: str) -> bool:
    return name.replace("-", "_").startswith(PREFIXES)


def _told_by_distributions() -> Iterator[cfg.Opt]:
    """The options that distributions with backends list for ``oslo-config-generator``."""
    distributions = {_distribution(point) for point in metadata.entry_points(group=NAMESPACE)}
    for point in metadata.entry_points(group=_OPTIONS):
        if _distribution(point) not in distributions:
            continue
        try:
            told = point.load()()
        except Exception as error:
            LOG.warning("The options of %s cannot be listed: %s", point.name, reason_of(error))
            continue
        for _section, options in told:
            yield from options


def _distribution(point: metadata.EntryPoint) -> str | None:
    return point.dist.name if point.dist else None
