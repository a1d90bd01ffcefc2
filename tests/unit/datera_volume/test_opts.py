# SPDX-License-Identifier: Apache-2.0
"""The options live beside those of Cinder's in-tree driver, which has the same names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from datera_volume import opts

# Both in one process, in either order; the in-tree driver needs the SDK to be importable.
BOTH = """
import sys
from cinder import objects
objects.register_all()
from oslo_config import cfg
from cinder.volume import configuration, driver
{first}
{second}
cfg.CONF([], project="cinder", default_config_files=[sys.argv[1]])
for section in ("datera", None):
    settings = configuration.Configuration(driver.volume_opts, config_group=section)
    ours = DateraDriver(configuration=settings, host="h")
    ours.do_setup(None)
    print(ours.settings.cluster.address, ours.settings.cluster.busy_timeout)
"""
OURS = "from datera_volume.driver import DateraDriver"
IN_TREE = """
import datera_volume.connection.sdk
from cinder.volume.drivers.datera import datera_iscsi
theirs = datera_iscsi.DateraDriver(
    configuration=configuration.Configuration(driver.volume_opts, config_group="datera"), host="h")
"""
LINES = "san_ip = array\nsan_password = secret\ndatera_503_timeout = 7\n"


@pytest.mark.parametrize(("first", "second"), [(OURS, IN_TREE), (IN_TREE, OURS)])
def test_both_drivers_in_one_process(tmp_path: Path, first: str, second: str) -> None:
    file = tmp_path / "cinder.conf"
    file.write_text(f"[DEFAULT]\n{LINES}[datera]\n{LINES}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BOTH.format(first=first, second=second), str(file)],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "array:7718 7.0\n" * 2


def test_every_option_has_a_help_and_is_listed() -> None:
    ((group, listed),) = opts.list_opts()
    assert group == "backend_defaults"
    assert listed is opts.OPTS
    assert all(opt.help for opt in listed)
    assert all(opt.name.startswith("datera_") for opt in listed)
