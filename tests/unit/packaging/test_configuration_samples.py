# SPDX-License-Identifier: Apache-2.0
"""The configuration that recipes bring is one that the dispatcher starts with."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from cinder import objects
from oslo_config import cfg

objects.register_all()

from backup_dispatch import opts  # noqa: E402 - after Cinder's objects
from backup_dispatch.backends.configured import Backends, configured  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"


def backends_of(*files: Path) -> Backends:
    conf = cfg.ConfigOpts()
    conf.register_opts([*opts.OPTS, cfg.StrOpt("backup_driver")])
    conf(args=[], default_config_files=[str(path) for path in files])
    assert conf.backup_driver == "backup_dispatch.driver.BackupDispatcher"
    return configured(conf)


@pytest.mark.parametrize(
    ("sample", "names"),
    [
        ("kolla/cinder-backup.conf", ("ceph", "s3")),
        ("distribution/backup-dispatch.conf", ("ceph", "posix")),
    ],
)
def test_a_sample_over_cinder_conf_enables_its_backends(
    sample: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    before = tmp_path / "cinder.conf"
    before.write_text(
        "[DEFAULT]\nbackup_driver = cinder.backup.drivers.ceph.CephBackupDriver\n"
        "backup_ceph_pool = backups\n"
    )
    backends = backends_of(before, DEPLOY / sample)
    assert backends.names == names
    assert backends.primary.name == names[0]


def test_the_overrides_of_openstack_ansible_enable_their_backends(tmp_path: Path) -> None:
    variables = yaml.safe_load((DEPLOY / "openstack-ansible" / "user_variables.yml").read_text())
    lines = []
    for section, values in variables["cinder_cinder_conf_overrides"].items():
        lines += [f"[{section}]", *(f"{name} = {value}" for name, value in values.items())]
    written = tmp_path / "cinder.conf"
    written.write_text("\n".join(lines))
    assert backends_of(written).names == ("swift", "ceph")
    driver = variables["cinder_cinder_conf_overrides"]["DEFAULT"]["backup_driver"]
    assert variables["cinder_service_backup_driver"] == driver


def test_the_debian_package_has_the_version_of_the_distribution() -> None:
    (line,) = [one for one in (ROOT / "setup.cfg").read_text().splitlines() if "version = " in one]
    first = (DEPLOY / "debian" / "changelog").read_text().splitlines()[0]
    assert first.startswith(f"backup-dispatch ({line.partition(' = ')[2]}) ")
