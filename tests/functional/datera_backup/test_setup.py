# SPDX-License-Identifier: Apache-2.0
"""Invalid options stop the service; what the cluster refuses is told at its first use."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

PASSWORD = "wr0ng-password"


def driver_of(cloud: Any) -> Any:
    from datera_backup.driver import DateraBackupDriver

    return DateraBackupDriver(cloud.context)


def test_a_good_configuration_starts(cloud: Any) -> None:
    assert cloud.backup_manager.is_working()
    driver_of(cloud).check_for_setup_error()


def refused(cloud: Any) -> str:
    """Why a backup on this cloud, whose service has started, ends in an error."""
    assert cloud.backup_manager.is_working()
    backup = cloud.create_backup(cloud.create_volume(1))
    assert backup.status == "error"
    return str(backup.fail_reason)


def test_the_check_waits_for_no_cluster(start_cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fixtures.cinder.service_threads.SECONDS", 0)
    with socket.socket() as nobody_answers:
        nobody_answers.bind(("127.0.0.1", 0))
        nobody_answers.listen()
        cloud = start_cloud(backup_datera_api_port=nobody_answers.getsockname()[1])
        assert cloud.backup_manager.is_working()
        # It is asked all the same, by a thread that waits for an answer.
        nobody_answers.settimeout(30)
        nobody_answers.accept()[0].close()


def test_the_tenant_is_made_for_the_first_backup(start_cloud: Any, array: Any) -> None:
    cloud = start_cloud(backup_datera_tenant_id="/root/backups")
    assert "/root/backups" not in array.emulator.cluster.tenants
    assert cloud.create_backup(cloud.create_volume(1)).status == "available"
    assert "/root/backups" in array.emulator.cluster.tenants


@pytest.mark.parametrize("name", ["san_ip", "san_login", "san_password"])
def test_a_missing_option_is_named(start_cloud: Any, name: str) -> None:
    from cinder import exception

    cloud = start_cloud(**{f"backup_datera_{name}": None})
    assert not cloud.backup_manager.is_working()
    with pytest.raises(exception.InvalidConfigurationValue) as raised:
        driver_of(cloud).check_for_setup_error()
    assert f"backup_datera_{name} in section [DEFAULT]" in str(raised.value)


def test_a_wrong_password_is_told_and_not_shown(
    start_cloud: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reason = refused(start_cloud(backup_datera_san_password=PASSWORD))
    assert "admin" in reason
    assert "127.0.0.1" in reason
    assert PASSWORD not in reason
    assert PASSWORD not in caplog.text


def test_an_unreachable_cluster_is_named_with_its_port(start_cloud: Any) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        cloud = start_cloud(backup_datera_api_port=port, backup_datera_503_timeout=0)
        assert f"127.0.0.1:{port}" in refused(cloud)


def test_a_certificate_that_is_not_trusted_is_refused(start_cloud: Any) -> None:
    assert "certificate" in refused(start_cloud(backup_datera_ssl_cert_path=None)).lower()


def test_secondaries_that_would_be_ignored_stop_the_service(start_cloud: Any) -> None:
    from cinder import exception

    cloud = start_cloud(backup_datera_secondary_backup_drivers="cinder.backup.drivers.ceph")
    assert not cloud.backup_manager.is_working()
    with pytest.raises(
        exception.InvalidConfigurationValue,
        match=r"backup_driver = backup_dispatch\.driver\.BackupDispatcher",
    ):
        driver_of(cloud).check_for_setup_error()


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3"])
def test_every_api_version_takes_and_restores_a_backup(start_cloud: Any, version: str) -> None:
    cloud = start_cloud(backup_datera_api_version=version)
    volume = cloud.create_volume(1)
    cloud.write(volume, 12345, b"some data")
    backup = cloud.create_backup(volume)
    assert backup.status == "available"
    assert cloud.first_difference(cloud.restore_backup(backup), volume) is None
    assert cloud.delete_backup(backup) is None


def test_plain_http_is_spoken_where_the_options_say_so(start_cloud: Any, array: Any) -> None:
    cloud = start_cloud(
        backup_datera_use_ssl=False, backup_datera_api_port=array.emulator.http_port
    )
    assert cloud.backup_manager.is_working()


def test_a_backup_on_a_cluster_that_went_away_is_an_error(cloud: Any, array: Any) -> None:
    volume = cloud.create_volume(1)
    array.emulator.faults.drop(times=None)
    backup = cloud.create_backup(volume)
    array.emulator.faults.clear()
    assert backup.status == "error"
    assert f"127.0.0.1:{array.emulator.https_port}" in backup.fail_reason
    assert cloud.delete_backup(backup) is None


def test_a_configuration_of_its_own_is_used(cloud: Any, array: Any) -> None:
    """As a dispatcher gives it, with a section's values before those of ``[DEFAULT]``."""
    from oslo_config import cfg

    from datera_backup.driver import DateraBackupDriver

    class Section:
        config_group = "west"
        backup_datera_tenant_id = "/root/west"

        def __getattr__(self, name: str) -> Any:
            return getattr(cfg.CONF, name)

    driver = DateraBackupDriver(cloud.context, configuration=Section())
    driver.check_for_setup_error()
    assert driver.backend.tenant.path == "/root/west"
    assert [word for _, word, _ in driver.try_out()] == ["up"]
    assert "/root/west" in array.emulator.cluster.tenants


def test_no_secret_is_logged_or_left_in_a_record(
    start_cloud: Any,
    array: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens: list[str] = []
    issue = array.emulator.cluster.tokens.issue

    def remembered() -> str:
        tokens.append(issue())
        return tokens[-1]

    monkeypatch.setattr(array.emulator.cluster.tokens, "issue", remembered)
    caplog.set_level(logging.DEBUG)
    cloud = start_cloud(backup_datera_debug=True)
    volume = cloud.create_volume(1)
    backup = cloud.create_backup(volume)
    cloud.restore_backup(backup)
    exported = cloud.export_backup(backup)
    assert cloud.delete_backup(backup) is None
    password = array.emulator.password
    assert f"delete_backup of backup {backup.id}: done after" in caplog.text
    for record in caplog.records:
        if record.name.startswith(("datera", "urllib3", "requests", "dfs_sdk")):
            text = record.getMessage()
            assert f'"{password}"' not in text
            assert f"'{password}'" not in text
    assert tokens
    ours = "\n".join(
        r.getMessage() for r in caplog.records if not r.name.startswith("datera_emulator")
    )
    assert not [token for token in tokens if token in ours]
    assert exported["backup_service"] == "datera_backup.driver.DateraBackupDriver"
