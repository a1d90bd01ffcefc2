# SPDX-License-Identifier: Apache-2.0
"""Reading cinder.conf as the cinder-backup service reads it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import urlencode

import os_brick
from cinder import utils, version
from cinder.backup import manager as _manager  # noqa: F401 - registers the service's options
from cinder.common import config as _config  # noqa: F401 - registers Cinder's options
from oslo_config import cfg
from oslo_privsep import priv_context
from sqlalchemy import exc
from sqlalchemy.engine import make_url

from backup_dispatch import opts
from backup_dispatch.command.outcome import misused
from backup_dispatch.errors import one_line

CONF = cfg.CONF
CONF.register_opts(opts.OPTS)

SERVICE = "cinder-backup"
"""The program whose configuration is read: cinder-backup.conf and its directory too, if present."""

_MYSQL_LIMITS = {"connect_timeout": 10, "read_timeout": 30, "write_timeout": 30}
"""Seconds, for pymysql, unless cinder.conf sets others."""


def read_configuration(files: Sequence[str], directories: Sequence[str]) -> None:
    """Read these files, or those that Cinder itself would find.

    :raises CommandEnded: there are no files, or they cannot be read.
    """
    arguments = [f"--config-file={path}" for path in files]
    arguments += [f"--config-dir={path}" for path in directories]
    try:
        CONF(arguments, project="cinder", prog=SERVICE, version=version.version_string())
    except (cfg.Error, OSError) as error:
        misused(
            f"Cinder's configuration cannot be read: {one_line(str(error)).rstrip('. ')}. Correct "
            "it, or run this as the user of cinder-backup, who may read it: sudo -u cinder …"
        )
    if not CONF.config_file and not CONF.config_dir:
        misused("There is no cinder.conf where Cinder looks for it: name one with --config-file.")
    _wait_no_longer_for_the_database()
    priv_context.init(root_helper=_never_asking(shlex.split(utils.get_root_helper())))
    os_brick.setup(CONF)


def _never_asking(helper: list[str]) -> list[str]:
    """The root helper that fails instead of asking for a password."""
    if helper[:1] == ["sudo"]:
        return ["sudo", "-n", *helper[1:]]
    return helper


def _wait_no_longer_for_the_database() -> None:
    """Unlike a service, a command does not wait for the database, but reports an error.

    :raises CommandEnded: cinder.conf has no valid database connection.
    """
    CONF.set_override("max_retries", 1, group="database")
    CONF.set_override("retry_interval", 1, group="database")
    try:
        url = make_url(CONF.database.connection or "")
    except (exc.ArgumentError, ValueError):
        # The error may contain a part of the password.
        misused(
            "[database] connection in cinder.conf is no database's address. Write one such as "
            "mysql+pymysql://USER:PASSWORD@HOST:PORT/cinder"
        )
    if url.drivername == "mysql+pymysql" and not CONF.database.connection_parameters:
        # The client would wait forever for a server that accepts the query and never answers.
        limits = {name: limit for name, limit in _MYSQL_LIMITS.items() if name not in url.query}
        CONF.set_override("connection_parameters", urlencode(limits), group="database")
