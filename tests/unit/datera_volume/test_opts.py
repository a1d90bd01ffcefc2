# SPDX-License-Identifier: Apache-2.0
"""The options live beside those of Cinder's in-tree driver, which has the same names."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from oslo_config import cfg, generator

from datera_volume import opts
from datera_volume.settings import _timing_level

pytestmark = pytest.mark.release

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
import datera_volume.connection.transport.sdk
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


DOCUMENTED = {
    "datera_503_timeout",
    "datera_503_interval",
    "datera_ldap_server",
    "datera_chap_secret_per_volume",
    "datera_debug",
    "datera_debug_replica_count_override",
    "datera_tenant_id",
    "datera_disable_profiler",
    "datera_volume_type_defaults",
    "datera_enable_image_cache",
    "datera_image_cache_volume_type_id",
    "datera_disable_extended_metadata",
    "datera_disable_template_override",
    "datera_api_port",
    "datera_api_version",
}


def test_the_sample_configuration_shows_each_option_with_type_bounds_and_unit() -> None:
    generator_conf = cfg.ConfigOpts()
    generator.register_cli_opts(generator_conf)
    generator_conf(["--namespace", "datera_volume"])
    out = io.StringIO()
    generator.generate(generator_conf, out)
    shown = {
        found["name"]: found["about"]
        for found in re.finditer(
            r"(?P<about>(?:^#[ ]?.*\n)*)^#(?P<name>datera_\w+) = ?.*$", out.getvalue(), re.MULTILINE
        )
    }
    assert set(shown) == DOCUMENTED
    for name, about in shown.items():
        kind = {"timeout": "integer", "interval": "integer", "port": "port"}
        expected = kind.get(name.rsplit("_", 1)[-1], r"string|boolean|dict")
        assert re.search(rf"\(({expected})\s(#\s)?value\)", about), about
    for name in ("datera_503_timeout", "datera_503_interval"):
        assert "Seconds" in shown[name]
        assert "Minimum value" in shown[name]
    assert "Maximum value: 65535" in shown["datera_api_port"]
    assert re.search(r"2\.1.*2\.2.*2\.3", shown["datera_api_version"], re.DOTALL)


@pytest.mark.parametrize(
    ("debug", "no_profiler", "level"),
    [(False, False, "DEBUG"), (False, True, None), (True, False, "INFO"), (True, True, "INFO")],
)
def test_each_operation_is_timed_as_the_operator_wants(
    debug: bool, no_profiler: bool, level: str | None
) -> None:
    class Section:
        datera_debug = debug
        datera_disable_profiler = no_profiler

    found = _timing_level(Section())
    assert (None if found is None else logging.getLevelName(found)) == level
