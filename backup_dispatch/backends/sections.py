# SPDX-License-Identifier: Apache-2.0
"""The sections of cinder.conf that belong to backup backends.

Only a section that sets ``backup_driver`` does: one of the same name may be a volume backend's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from backup_dispatch.backends.conf_overlay import Overlay
from backup_dispatch.backends.loading import DriverClass
from backup_dispatch.backends.private_modules import (
    PrivateDriver,
    private_driver,
    takes_configuration,
)
from backup_dispatch.backends.unread_options import (
    names_read_beside,
    names_read_by,
    refuse_unread,
    sections_with,
    spellings_of,
)
from backup_dispatch.drivers import gcs
from backup_dispatch.drivers.interface import SupportsDriverOptions
from backup_dispatch.drivers.offers import offered
from backup_dispatch.errors import ConfigurationInvalid, reason_of

SECTION_OPTS = [
    cfg.StrOpt("backup_driver", help="The backend's driver; makes the section a backend's."),
    cfg.BoolOpt(
        "adopt",
        default=False,
        help="Whether records that name the driver's class and no backend are this backend's. "
        "Without, they are the first enabled backend's of that class.",
    ),
]


@dataclass(frozen=True)
class Section:
    """The options of a section that are about the backend itself."""

    name: str
    driver: str
    adopt: bool

    @property
    def option(self) -> str:
        """The driver's option, as messages name it."""
        return f"[{self.name}] backup_driver"


def section_of(name: str, conf: Any) -> Section | None:
    """The section of that name, if it belongs to a backup backend."""
    conf.register_opts(SECTION_OPTS, group=name)
    driver = conf[name].backup_driver
    return Section(name, driver, conf[name].adopt) if driver else None


def names_of_sections(conf: Any) -> frozenset[str]:
    """The names, in lower case, of the sections of all backup backends, enabled or not."""
    return sections_with(conf, SECTION_OPTS[0].name)


@dataclass(frozen=True)
class Configured:
    """A driver class, and the configuration to pass to it if it takes one."""

    driver_class: DriverClass
    configuration: Overlay | None = None


def configured_by(section: Section, driver_class: DriverClass) -> Configured:
    """The driver with the section's values taking precedence over ``[DEFAULT]``.

    :raises ConfigurationInvalid: the section sets an option that the driver does not read, or an
        invalid value.
    """
    overlay = Overlay(cfg.CONF, section.name, _hidden_from(driver_class))
    try:
        if takes_configuration(driver_class):
            configured = Configured(driver_class, overlay)
            options = _options_told_by(driver_class)
            read, beside = spellings_of(options), {}
        else:
            own = _own_driver(driver_class, overlay)
            configured = Configured(own.driver_class)
            options = list(overlay.own_options.values())
            read = spellings_of(options) | names_read_by(own.modules, overlay)
            beside = names_read_beside(own.modules, cfg.CONF)
        read |= spellings_of(SECTION_OPTS)
        refuse_unread(cfg.CONF, section.name, section.driver, read, beside)
        # An invalid value would otherwise be found at its first use, with the first backup.
        overlay.read_all(opt.dest for opt in options)
    except ConfigurationInvalid:
        raise
    except Exception as error:
        raise ConfigurationInvalid(
            f"Section [{section.name}] cannot be used by {section.driver}: "
            f"{reason_of(error).rstrip('.')}. Correct it, or take the backend out."
        ) from error
    return configured


def without_section(driver_class: DriverClass) -> Configured:
    """The driver with the values of ``[DEFAULT]`` alone."""
    hidden = _hidden_from(driver_class)
    if not hidden:
        return Configured(driver_class)
    return Configured(_own_driver(driver_class, Overlay(cfg.CONF, None, hidden)).driver_class)


def _hidden_from(driver_class: DriverClass) -> frozenset[str]:
    return frozenset({gcs.PROXY}) if gcs.is_gcs(driver_class) else frozenset()


def _own_driver(driver_class: DriverClass, overlay: Overlay) -> PrivateDriver:
    own = private_driver(driver_class, overlay)
    if gcs.is_gcs(own.driver_class):
        gcs.use_own_proxy(own.driver_class, lambda: overlay.value_of(gcs.PROXY))
    return own


def _options_told_by(driver_class: DriverClass) -> list[cfg.Opt]:
    """The options of a driver that takes its configuration as an argument.

    One that does not report them, as Cinder's own do, may read any registered option.
    """
    told = offered(driver_class, SupportsDriverOptions)
    if told is not None:
        return list(told.get_driver_options())
    return [info["opt"] for info in cfg.CONF._opts.values()]
