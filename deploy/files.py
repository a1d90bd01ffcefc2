# SPDX-License-Identifier: Apache-2.0
"""The files that are generated: the sample configuration, manual pages, and completions."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stdout

from oslo_config import cfg, generator

from deploy.commands import programs
from deploy.completion import bash, fish, zsh
from deploy.manual import manual_pages

NAMESPACES = ("backup_dispatch", "datera_backup", "datera_volume")
"""Of the entry points ``oslo.config.opts``."""

SAMPLE = "etc/backup-dispatch.conf.sample"


def generated() -> dict[str, str]:
    """Return the text of each file by its path below the sources."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cinder import objects

        # The commands' modules can be imported only after that.
        objects.register_all()
    every = programs()
    files = {SAMPLE: sample()}
    for name, text in manual_pages(every).items():
        files[f"man/{name}"] = text
    for program in every:
        name = program.words[0]
        files[f"completion/bash/{name}"] = bash.completion(program)
        files[f"completion/zsh/_{name}"] = zsh.completion(program)
        files[f"completion/fish/{name}.fish"] = fish.completion(program)
    return files


def sample() -> str:
    """All options as oslo.config's generator writes them, commented out with their defaults."""
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(args=[word for name in NAMESPACES for word in ("--namespace", name)])
    written = io.StringIO()
    with redirect_stdout(written):
        generator.generate(conf)
    return written.getvalue()
