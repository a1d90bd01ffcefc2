# SPDX-License-Identifier: Apache-2.0
"""The sections of cinder.conf that belong to backup backends.

A section does only if it sets ``backup_driver``: one of the same name may be a volume backend's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from backup_dispatch.conf_overlay import Overlay
from backup_dispatch.errors import ConfigurationInvalid, reason_of
from backup_dispatch.loading import DriverClass
from backup_dispatch.private_modules import private_class, takes_configuration

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
    """What a backend's section says of the backend itself."""

    name: str
    driver: str
    adopt: bool

    @property
    def option(self) -> str:
        """How messages name the option with the driver."""
        return f"[{self.name}] backup_driver"


def section_of(name: str, conf: Any) -> Section | None:
    """The section of that name, if it is a backup backend's."""
    conf.register_opts(SECTION_OPTS, group=name)
    driver = conf[name].backup_driver
    return Section(name, driver, conf[name].adopt) if driver else None


@dataclass(frozen=True)
class Configured:
    """A driver class, and the configuration to hand to it if it takes one."""

    driver_class: DriverClass
    configuration: Overlay | None = None


def configured_by(section: Section, driver_class: DriverClass) -> Configured:
    """The driver with the section's values before those of ``[DEFAULT]``.

    :raises ConfigurationInvalid: the section has a value that its option cannot have.
    """
    overlay = Overlay(cfg.CONF, section.name)
    try:
        if takes_configuration(driver_class):
            return Configured(driver_class, overlay)
        private = private_class(driver_class, overlay)
        # A bad value would else show up at its first use, with the first backup.
        overlay.read_all()
    except Exception as error:
        raise ConfigurationInvalid(
            f"Section [{section.name}] cannot be used by {section.driver}: "
            f"{reason_of(error).rstrip('.')}. Correct it, or take the backend out."
        ) from error
    return Configured(private)
