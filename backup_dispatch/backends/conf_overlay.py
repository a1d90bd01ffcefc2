# SPDX-License-Identifier: Apache-2.0
"""An overlay of one section of cinder.conf: what it does not set comes from ``[DEFAULT]``."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from oslo_config import cfg

_NOT_SET = (cfg.Locations.opt_default, cfg.Locations.set_default)


class Overlay:
    """Behaves like ``cfg.CONF`` for a driver, but the section's values take precedence.

    Everything except reading an option goes to the real configuration, so that options are
    registered there, once for all backends.

    :param conf: the real configuration.
    :param section: the section's name; None for a driver that has none.
    :param hidden: options that are always None for the driver, because other code handles them.
    """

    def __init__(
        self, conf: Any, section: str | None, hidden: frozenset[str] = frozenset()
    ) -> None:
        self._conf = conf
        self._section = section
        self._hidden = hidden
        self._registering = threading.Lock()
        self._own: dict[str, cfg.Opt] = {}

    @property
    def own_options(self) -> dict[str, cfg.Opt]:
        """The options that were registered through this overlay, by name."""
        return dict(self._own)

    @property
    def config_group(self) -> str | None:
        """The section's name, for drivers that take their configuration as an argument."""
        return self._section

    def register_opt(self, opt: Any, group: Any = None) -> Any:
        """Register the option in the real configuration."""
        if group is None:
            self._own[opt.dest] = opt
        return self._conf.register_opt(opt, group=group)

    def register_opts(self, opts: Iterable[Any], group: Any = None) -> None:
        """Register each option in the real configuration."""
        for opt in opts:
            self.register_opt(opt, group=group)

    def read_all(self, names: Iterable[str]) -> None:
        """Read each of these options once.

        :raises ValueError: the section, or ``[DEFAULT]``, has an invalid value for an option.
        """
        for name in names:
            self.value_of(name)

    def value_of(self, name: str) -> Any:
        """The option's value, hidden or not.

        :raises ValueError: it is invalid.
        """
        if self._section is None:
            return getattr(self._conf, name)
        # Only an option that is registered in [DEFAULT] can have a value in the section;
        # oslo.config has no public way to access the option itself.
        info = self._conf._opts.get(name)
        if info is None:
            return getattr(self._conf, name)
        # Drivers read in several threads, and the first reading registers the option.
        try:
            with self._registering:
                self._conf.register_opt(info["opt"], group=self._section)
        except cfg.DuplicateOptError:
            # In the section that name has another meaning: backup_driver, of the backend itself.
            return getattr(self._conf, name)
        where = self._conf.get_location(name, self._section)
        if where is None or where.location in _NOT_SET:
            return getattr(self._conf, name)
        return getattr(self._conf[self._section], name)

    def __getattr__(self, name: str) -> Any:
        return None if name in self._hidden else self.value_of(name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self._conf

    def __iter__(self) -> Iterator[str]:
        return iter(self._conf)

    def __len__(self) -> int:
        return len(self._conf)
