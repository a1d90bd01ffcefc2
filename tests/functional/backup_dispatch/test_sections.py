# SPDX-License-Identifier: Apache-2.0
"""Backends with a section of their own: several of one driver, each with its own options."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process

pytestmark = pytest.mark.release

DISPATCHER = "backup_driver = backup_dispatch.driver.BackupDispatcher"
POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
EAST = """
[east]
backup_driver = posix
backup_posix_path = $state_path/east
backup_compression_algorithm = zlib
"""
WEST = """
[west]
backup_driver = cinder.backup.drivers.posix
backup_posix_path = $state_path/west
backup_compression_algorithm = bz2
"""

Start = Callable[..., Any]


@pytest.fixture
def start_sections(start_cinder: Start) -> Iterator[Start]:
    def start(*, enabled: str = "posix, east, west", sections: str = EAST + WEST) -> Any:
        lines = f"{DISPATCHER}\nenabled_backup_backends = {enabled}"
        return start_cinder(defaults=lines, sections=sections)

    yield start
    this_process().stop_checking()


def compressions(folder: Path, backup: Any) -> set[str]:
    """How the stored chunks of a backup are compressed."""
    (file,) = folder.rglob(f"*_backup_{backup.id}_metadata")
    chunks = [chunk for one in json.loads(file.read_text())["objects"] for chunk in one.values()]
    return {chunk["compression"] for chunk in chunks}


def test_three_backends_of_one_driver(start_sections: Start, tmp_path: Path) -> None:
    cinder = start_sections()
    volume = cinder.create_volume(1)
    cinder.write(volume, 2**20, b"kept" * 1000)
    backups = {
        name: cinder.create_backup(volume, name) for name in ("east_1", "west_1", "posix_1", "x")
    }
    assert {name: backup.service for name, backup in backups.items()} == {
        "posix_1": POSIX,
        "east_1": f"{POSIX}@east",
        "west_1": f"{POSIX}@west",
        "x": POSIX,
    }, cinder.failures
    assert compressions(tmp_path / "east", backups["east_1"]) == {"zlib"}
    assert compressions(tmp_path / "west", backups["west_1"]) == {"bz2"}
    assert compressions(tmp_path / "posix", backups["x"]) == {"zstd"}

    cinder.write(volume, 2**21, b"changed" * 1000)
    for name in ("east_2", "west_2"):
        incremental = cinder.create_backup(volume, name, incremental=True)
        assert incremental.parent_id == backups[name.replace("2", "1")].id
        backups[name] = incremental
        restored = cinder.restore_backup(incremental)
        assert restored.status == "available", cinder.failures
        assert cinder.first_difference(restored, volume) is None
    for backup in reversed(backups.values()):
        assert cinder.delete_backup(backup) is None, cinder.failures
    assert not list(tmp_path.rglob("*_backup_*"))


def test_an_imported_backup_is_found_among_backends_of_one_driver(
    start_sections: Start, tmp_path: Path
) -> None:
    cinder = start_sections()
    # A folder that is not there may be a share that is not mounted.
    (tmp_path / "east").mkdir()
    volume = cinder.create_volume(1)
    backup = cinder.create_backup(volume, "west_1")
    backup.service, backup.metadata = "backup_dispatch.driver.BackupDispatcher", {}
    backup.save()
    cinder.export_backup(backup)
    healed = cinder.backup(backup.id)
    assert (healed.service, healed.metadata) == (f"{POSIX}@west", {"backup_backend": "west"})


def test_the_section_says_who_adopts_the_records_of_vanilla_cinder(start_sections: Start) -> None:
    cinder = start_sections(sections=EAST + WEST + "adopt = true\n")
    volume = cinder.create_volume(1)
    services = [cinder.create_backup(volume, name).service for name in ("west_1", "east_1", "x")]
    assert services == [POSIX, f"{POSIX}@east", f"{POSIX}@posix"]


@pytest.mark.parametrize(
    ("enabled", "sections", "says"),
    [
        (
            "east, north",
            EAST,
            "enabled_backup_backends has 'north': there is no such backend; known are ceph, "
            "datera, gcs, glusterfs, nfs, posix, s3, swift; for another, add a section [north] "
            "with backup_driver.",
        ),
        ("east", "[east]\nbackup_driver = tape\n", "[east] backup_driver has 'tape': there is no"),
        (
            "east",
            EAST.replace("zlib", "zap"),
            "Section [east] cannot be used by posix: ",
        ),
        ("east, East", EAST, "enabled_backup_backends has 'East': it differs from 'east' only in"),
        (
            "east, west",
            EAST + "adopt = true\n" + WEST + "adopt = true\n",
            "[west] adopt has True: [east] adopts the same records; keep one.",
        ),
        (
            "east",
            EAST + "backup_posix_pth = /elsewhere\n",
            "[east] backup_posix_pth: posix reads no such option; the nearest is "
            "backup_posix_path. Correct the name, or take the line out.",
        ),
        (
            "far",
            "[far]\nbackup_driver = ceph\nbackup_ceph_pol = backups\n",
            "[far] backup_ceph_pol: ceph reads no such option; the nearest is backup_ceph_pool.",
        ),
        (
            "far",
            "[far]\nbackup_driver = datera\nbackup_datera_san_pi = 192.0.2.1\n",
            "[far] backup_datera_san_pi: datera reads no such option; the nearest is "
            "backup_datera_san_ip.",
        ),
        (
            "far",
            "[far]\nbackup_driver = datera\nbackup_datera_workers = many\n",
            "Section [far] cannot be used by datera: ",
        ),
        (
            "fast, posix_like",
            "[fast]\nbackup_driver = swift\n[posix_like]\nbackup_driver = swift\n",
            "enabled_backup_backends has 'posix_like': Cinder takes the records of a backend with "
            "'posix' in its name for those of its posix driver, and makes incrementals only on the "
            "host of the backup before; rename the backend.",
        ),
        (
            "east",
            EAST.replace("[east]", "[East]") + "backup_posix_pth = /elsewhere\n",
            "[east] backup_posix_pth: posix reads no such option; the nearest is ",
        ),
        (
            "east",
            EAST + "backup_metadata_version = 1\n",
            "[east] backup_metadata_version: posix reads it in [DEFAULT] only. Set it there.",
        ),
    ],
)
def test_a_section_that_cannot_be_meant_stops_the_service(
    start_sections: Start,
    caplog: pytest.LogCaptureFixture,
    enabled: str,
    sections: str,
    says: str,
) -> None:
    cinder = start_sections(enabled=enabled, sections=sections)
    assert not cinder.backup_manager.is_working()
    assert any(
        line.startswith(f"The backup service cannot work: {says}") for line in caplog.messages
    ), caplog.messages


@pytest.mark.parametrize(
    ("name", "properties"), [("east_nightly", {}), ("x", {"backup_backend": "East"})]
)
def test_backend_taken_out_of_the_list_takes_its_name_along(
    start_sections: Start, name: str, properties: dict[str, str]
) -> None:
    cinder = start_sections(enabled="posix, west", sections=EAST.replace("east]", "East]") + WEST)
    refused = cinder.create_backup(cinder.create_volume(1), name, properties=properties)
    assert refused.status == "error"
    assert "a backend that is not enabled here; enabled are posix, west." in refused.fail_reason
    assert refused.service == ""


def test_option_of_ours_misspelt_in_default_stops_the_service(
    start_cinder: Start, caplog: pytest.LogCaptureFixture
) -> None:
    lines = "enabled_backup_backends = posix\nbackup_datera_ssl_cert_verif = true"
    cinder = start_cinder(defaults=f"{DISPATCHER}\n{lines}")
    assert not cinder.backup_manager.is_working()
    assert (
        "The backup service cannot work: [DEFAULT] backup_datera_ssl_cert_verif: there is no such "
        "option; the nearest is backup_datera_ssl_cert_verify. Correct the name, or take the line "
        "out." in caplog.messages
    )


def test_what_a_volume_driver_reads_in_the_same_section_is_not_our_concern(
    start_sections: Start,
) -> None:
    cinder = start_sections(enabled="east", sections=EAST + "volume_driver = x\nsan_ip = y\n")
    assert cinder.backup_manager.is_working()


@pytest.mark.parametrize("name", ["ceph", "swift", "s3", "nfs", "glusterfs", "posix"])
def test_each_of_cinders_drivers_can_have_a_section(start_sections: Start, name: str) -> None:
    from cinder.backup.driver import BackupDriver
    from oslo_config import cfg

    from backup_dispatch.backends.configured import configured, load

    load.cache_clear()
    start_sections(enabled="far", sections=f"[far]\nbackup_driver = {name}\n")
    (far,) = configured(cfg.CONF).enabled
    vanilla = load(("swift", name), (), None).named(name) if name != "swift" else None
    assert issubclass(far.driver_class, BackupDriver)
    if vanilla is not None:
        assert far.driver_class is not vanilla.driver_class
        assert far.class_path == vanilla.class_path


def test_a_driver_that_takes_its_configuration_gets_the_section(
    start_sections: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder.backup.drivers.posix import PosixBackupDriver
    from oslo_config import cfg

    from backup_dispatch.backends.configured import configured, load

    def make(driver: Any, _context: Any, configuration: Any = None) -> None:
        driver.configuration = configuration

    monkeypatch.setattr(PosixBackupDriver, "__init__", make)
    load.cache_clear()
    lines = "[east]\nbackup_driver = posix\nbackup_posix_path = /far\n"
    start_sections(enabled="east, posix", sections=lines)
    east, posix = configured(cfg.CONF).enabled
    load.cache_clear()
    assert east.driver_class is posix.driver_class is PosixBackupDriver
    assert east.make(None).configuration.backup_posix_path == "/far"
    assert posix.make(None).configuration is None
