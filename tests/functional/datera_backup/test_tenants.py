# SPDX-License-Identifier: Apache-2.0
"""The tenant that the options name is where containers are, in the volume driver's words."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(("setting", "path"), [("None", "/root"), ("backups", "/root/backups")])
def test_containers_are_in_the_tenant_that_the_option_means(
    start_cloud: Any, array: Any, setting: str, path: str
) -> None:
    cloud = start_cloud(backup_datera_tenant_id=setting)
    backup = cloud.create_backup(cloud.create_volume(1))
    assert backup.status == "available", backup.fail_reason
    assert [(ai.tenant, ai.name) for ai in array.instances] == [(path, backup.container)]
    assert sorted(array.emulator.cluster.tenants) == sorted({"/root", path})
    assert cloud.restore_backup(backup).status == "available"
    assert cloud.delete_backup(backup) is None
    assert array.names == []


@pytest.mark.parametrize(
    ("setting", "told"), [("Map", "or to None for /root"), ("my lab", "3 to 64 letters")]
)
def test_a_tenant_that_cannot_be_had_keeps_the_service_from_starting(
    start_cloud: Any, array: Any, setting: str, told: str
) -> None:
    from cinder import exception

    from datera_backup.driver import DateraBackupDriver

    cloud = start_cloud(backup_datera_tenant_id=setting)
    assert not cloud.backup_manager.is_working()
    with pytest.raises(exception.InvalidConfigurationValue, match=told):
        DateraBackupDriver(cloud.context).check_for_setup_error()
    assert list(array.emulator.cluster.tenants) == ["/root"]


def test_a_backup_whose_tenant_could_not_be_made_is_deleted_without_it(
    start_cloud: Any, array: Any
) -> None:
    cloud = start_cloud(backup_datera_tenant_id="backups", backup_datera_503_timeout=0)
    volume = cloud.create_volume(1)
    faults = array.emulator.faults
    faults.answer(500, {"message": "broken"}, method="POST", path="/tenants", times=None)
    failed = cloud.create_backup(volume)
    assert failed.status == "error"
    assert cloud.delete_backup(failed) is None
    faults.clear()
    assert cloud.create_backup(volume).status == "available"
