# SPDX-License-Identifier: Apache-2.0
"""What the dispatcher relies on in Cinder: a release that changes it is told apart here first."""

from __future__ import annotations

import ast
import inspect
import textwrap
from importlib import import_module
from typing import Any

import pytest
from cinder import objects, utils

# The rest of Cinder can be imported only after its objects have been registered.
objects.register_all()
from cinder.backup import chunkeddriver, manager  # noqa: E402
from cinder.backup.driver import BackupDriver  # noqa: E402

from backup_dispatch.drivers.native import in_native_threads  # noqa: E402
from backup_dispatch.drivers.new_volumes import cinder_release  # noqa: E402

pytestmark = pytest.mark.release

SIGNATURES = {
    "__init__": "(self, context)",
    "backup": "(self, backup, volume_file, backup_metadata=False)",
    "restore": "(self, backup, volume_id, volume_file, volume_is_new)",
    "delete_backup": "(self, backup)",
    "export_record": "(self, backup)",
    "import_record": "(self, backup, driver_info)",
    "get_metadata": "(self, volume_id)",
    "put_metadata": "(self, volume_id, json_metadata)",
    "check_for_setup_error": "(self)",
}

CHUNKED = {
    "backup": "(self, backup, volume_file, backup_metadata=True)",
    "restore": "(self, backup, volume_id, volume_file, volume_is_new)",
    "delete_backup": "(self, backup)",
    "get_container_entries": "(self, container, prefix)",
    "get_object_reader": "(self, container, object_name, extra_metadata=None)",
}

CEPH = {
    "_connect_to_rados": ["self", "pool"],
    "_disconnect_from_rados": ["client", "ioctx"],
    "_get_backup_base_name": ["volume_id", "backup"],
    "get_backup_snaps": ["rbd_image", "sort"],
}

DRIVERS = {
    "ceph": "CephBackupDriver",
    "gcs": "GoogleBackupDriver",
    "glusterfs": "GlusterfsBackupDriver",
    "nfs": "NFSBackupDriver",
    "posix": "PosixBackupDriver",
    "s3": "S3BackupDriver",
    "swift": "SwiftBackupDriver",
}


def calls_in(function: Any, name: str) -> list[list[str]]:
    """The arguments of each call of a method of that name in the function's source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return [
        [
            *map(ast.unparse, node.args),
            *(f"{one.arg}={ast.unparse(one.value)}" for one in node.keywords),
        ]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func) == name
    ]


def test_this_release_is_one_of_those_that_are_supported() -> None:
    assert cinder_release()[0] in range(25, 30)


@pytest.mark.parametrize("method", SIGNATURES)
def test_backup_driver_interface_is_the_known_one(method: str) -> None:
    assert str(inspect.signature(getattr(BackupDriver, method))) == SIGNATURES[method]


def test_the_table_of_renamed_drivers_is_cinders_alone() -> None:
    known = {key: new for key, new in manager.MAPPING.items() if "@" not in key}
    assert known == {
        "cinder.backup.drivers.google.GoogleBackupDriver": (
            "cinder.backup.drivers.gcs.GoogleBackupDriver"
        )
    }


@pytest.mark.parametrize(
    ("service", "known", "ours"),
    [
        (None, {}, True),
        ("", {}, True),
        ("some.module", {}, True),
        ("some.module.Driver", {}, True),
        ("some.module.Driver@one", {}, False),
        ("some.module.Driver@one", {"some.module.Driver@one": "some.module.Driver"}, True),
        ("other.Driver", {"other.Driver@two": "some.module.Driver"}, True),
        ("other.Driver@two", {"other.Driver@two": "third.Driver"}, False),
        ("another.Driver", {}, False),
    ],
)
def test_manager_accepts_records_by_the_start_of_their_service(
    service: str | None, known: dict[str, str], ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "MAPPING", known)

    class Manager:
        driver_name = "some.module.Driver"

    class Record:
        pass

    record: Any = Record()
    record.service = service
    assert manager.BackupManager._is_our_backup(Manager(), record) is ours


def test_manager_passes_the_known_arguments_to_a_driver() -> None:
    backup = calls_in(manager.BackupManager.continue_backup, "backup_service.backup")
    assert [len(arguments) for arguments in backup] == [2, 2, 2]
    assert {arguments[0] for arguments in backup} == {"backup"}
    restore = calls_in(manager.BackupManager._run_restore, "backup_service.restore")
    assert [len(arguments) for arguments in restore] == [4, 4, 4]
    assert {(one[0], one[1], one[3]) for one in restore} == {
        ("backup", "volume.id", "volume_is_new")
    }
    assert calls_in(manager.BackupManager.delete_backup, "backup_service.delete_backup") == [
        ["backup"]
    ]
    assert calls_in(manager.BackupManager.export_record, "backup_service.export_record") == [
        ["backup"]
    ]
    assert calls_in(manager.BackupManager.import_record, "backup_service.import_record") == [
        ["backup", "driver_options"]
    ]


def test_the_owner_is_exported_before_the_driver_is_asked() -> None:
    source = inspect.getsource(manager.BackupManager.export_record)
    owner = source.index("backup_record = {'backup_service': backup.service}")
    assert owner < source.index("backup_service.export_record(")


@pytest.mark.parametrize("method", CHUNKED)
def test_chunked_drivers_have_the_attributes_that_are_used(method: str) -> None:
    found = getattr(chunkeddriver.ChunkedBackupDriver, method)
    assert str(inspect.signature(found)) == CHUNKED[method]


def test_the_names_of_compressions() -> None:
    source = inspect.getsource(chunkeddriver.ChunkedBackupDriver._get_compressor)
    for name in ("none", "off", "no", "zlib", "gzip", "bz2", "bzip2", "zstd"):
        assert f"'{name}'" in source


@pytest.mark.parametrize("method", CEPH)
def test_ceph_driver_has_the_attributes_that_are_used(method: str) -> None:
    driver = import_module("cinder.backup.drivers.ceph").CephBackupDriver
    assert list(inspect.signature(getattr(driver, method)).parameters) == CEPH[method]


@pytest.mark.parametrize("module", DRIVERS)
def test_each_driver_is_where_the_entry_points_say_and_reads_a_global_conf(module: str) -> None:
    loaded = pytest.importorskip(f"cinder.backup.drivers.{module}", exc_type=ModuleNotFoundError)
    driver = getattr(loaded, DRIVERS[module])
    assert issubclass(driver, BackupDriver)
    assert driver.__module__ == loaded.__name__
    assert hasattr(loaded, "CONF")


def test_force_delete_is_said_by_the_object_and_not_by_the_class() -> None:
    assert "self.support_force_delete = False" in inspect.getsource(BackupDriver.__init__)
    chunked = inspect.getsource(chunkeddriver.ChunkedBackupDriver.__init__)
    assert "self.support_force_delete = True" in chunked
    ceph = inspect.getsource(import_module("cinder.backup.drivers.ceph"))
    assert "support_force_delete" not in ceph


def test_calls_in_native_threads_are_cinders_own_or_eventlets() -> None:
    text = "a text"
    wrapped = in_native_threads(text)
    assert wrapped.upper() == "A TEXT"
    # Not patched: where Cinder can do without eventlet, nothing is wrapped.
    assert (wrapped is text) is hasattr(utils, "tpool_wrap")
