# SPDX-License-Identifier: Apache-2.0
"""Reading cinder.conf as the cinder-backup service reads it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import os_brick
from cinder import utils, version
from cinder.backup import manager as _manager  # noqa: F401 - registers the service's options
from cinder.common import config as _config  # noqa: F401 - registers Cinder's options
from oslo_config import cfg
from oslo_privsep import priv_context

from backup_dispatch import opts
from backup_dispatch.command.outcome import misused
from backup_dispatch.errors import one_line

CONF = cfg.CONF
CONF.register_opts(opts.OPTS)

SERVICE = "cinder-backup"
"""Whose configuration it is: cinder-backup.conf and its directory are read too, if they exist."""


def read_configuration(files: Sequence[str], directories: Sequence[str]) -> None:
    """Read these files, or those that Cinder itself would find.

    :raises CommandEnded: there are none, or they cannot be read.
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
    # A service waits for its database; who asks wants to know that it is away.
    CONF.set_override("max_retries", 1, group="database")
    CONF.set_override("retry_interval", 1, group="database")
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    os_brick.setup(CONF)
