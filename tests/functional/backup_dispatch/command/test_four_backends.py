# SPDX-License-Identifier: Apache-2.0
"""The commands over Datera, posix, Swift and a second posix with a section, all at once."""

from __future__ import annotations

import mmap
import random
from collections.abc import Callable
from typing import Any

import pytest
import swiftclient

from datera_emulator import Emulator
from tests.fixtures.backends.swift_service import SwiftService

pytestmark = pytest.mark.long

Run = Callable[..., Any]
RunJson = Callable[..., Any]

BACKENDS = ["datera", "posix", "swift", "shelf"]


def quiet(emulator: Emulator) -> bool:
    """Nothing is attached, and nothing is left open for anybody."""
    cluster = emulator.cluster
    return not list(cluster.sessions) and all(
        instance.admin_state == "offline"
        and not any(one.initiators for one in instance.storage_instances.values())
        for instance in cluster.app_instances.values()
    )


def test_all_are_up_listed_sound_and_known(
    four_backups: dict[str, Any], run_json: RunJson, run: Run, emulator: Emulator
) -> None:
    assert [(row["Backend"], row["State"]) for row in run_json("check")] == [
        (name, "up") for name in ("(service)", *BACKENDS)
    ]
    assert [(row["Backend"], row["Backups"], row["Chains"]) for row in run_json("list")] == [
        (name, 2, 1) for name in BACKENDS
    ]
    for name in BACKENDS:
        shown = run_json("show", f"{name}_2")
        assert shown["backend"] == name
        assert 0 < shown["stored"] < 2**20
        told = run_json("verify", f"{name}_2")
        assert told["result"] == "sound"
        assert told["read"] >= 16 * 2**20
        # An imported record says nothing; each backend must be found by what it has.
        backup = four_backups[f"{name}_2"]
        backup.service, backup.metadata = "backup_dispatch.driver.BackupDispatcher", {}
        backup.save()
        assert run_json("show", backup.id)["backend"] == name
        others = [one for one in BACKENDS if one != name]
        assert {run("adopt", backup.id, one).code for one in others} == {1}
        assert run("adopt", backup.id, name).code == 0
    assert quiet(emulator)


def test_damage_on_a_cluster_is_named(cloud_of_four: Any, run: Run, emulator: Emulator) -> None:
    cinder = cloud_of_four
    volume = cinder.create_volume(1)
    # What does not compress is stored as it is.
    noise = random.Random(1).randbytes(2**16)
    cinder.write(volume, 2**20, noise)
    assert cinder.create_backup(volume, "datera_1").status == "available"
    backup = cinder.create_backup(volume, "datera_2", incremental=True)
    path = container_of(backup, emulator)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        data[data.find(noise) + 200] ^= 0xFF
    ended = run("verify", backup.id, "-f", "json")
    assert ended.code == 1
    assert ended.json["checked"] == "by the driver itself"
    (damage,) = ended.json["damage"]
    assert backup.id in damage or backup.container.removeprefix("backup-") in damage
    assert quiet(emulator)


def test_a_sample_finds_damage_in_what_it_draws_and_draws_the_same_by_its_seed(
    cloud_of_four: Any, run: Run, emulator: Emulator
) -> None:
    cinder = cloud_of_four
    volume = cinder.create_volume(1)
    noise = random.Random(2).randbytes(16 * 2**16)
    cinder.write(volume, 2**20, noise)
    backup = cinder.create_backup(volume, "datera_1")
    path = container_of(backup, emulator)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        data[data.find(noise[-64:])] ^= 0xFF

    def results(*seeds: int) -> list[str]:
        ended = [
            run("verify", backup.id, "--sample", "20", "--seed", str(seed), "-f", "json")
            for seed in seeds
        ]
        for seed, one in zip(seeds, ended, strict=True):
            up_to = "up to " if "damage" in one.json else ""
            assert one.json["sample"] == f"{up_to}4 of 16 blocks, seed {seed}"
        assert [one.code for one in ended] == [
            int(one.json["result"] == "DAMAGED") for one in ended
        ]
        return [one.json["result"] for one in ended]

    seeds = range(8)
    found = results(*seeds)
    assert set(found) == {"sound", "DAMAGED"}
    assert results(*reversed(seeds)) == found[::-1]
    assert run("verify", backup.id, "--sample", "100", "-f", "json").json["result"] == "DAMAGED"
    assert quiet(emulator)


def container_of(backup: Any, emulator: Emulator) -> str:
    """The file in which the emulator keeps a backup's container."""
    instance = emulator.cluster.app_instance_named("/root", backup.container)
    assert instance is not None
    ((_, container),) = instance.volumes()
    return str(emulator.cluster.files.path(container.file))


def test_a_cancelled_verification_leaves_nothing_attached(
    four_backups: dict[str, Any], run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.command.progress import ProgressLine

    seen = []

    def cancel(_line: ProgressLine, _done: int, _total: int) -> None:
        seen.append(list(emulator.cluster.sessions))
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressLine, "__call__", cancel)
    ended = run("verify", four_backups["datera_2"].id)
    assert (ended.code, ended.out, ended.err) == (130, "", "backup-dispatch: cancelled\n")
    assert len(seen) == 1
    assert seen[0], "it was attached when it was cancelled"
    assert quiet(emulator)


def test_damage_in_swift_is_named(
    four_backups: dict[str, Any], run: Run, swift: SwiftService
) -> None:
    backup = four_backups["swift_1"]
    client = swiftclient.Connection(authurl=swift.auth_url, user=swift.user, key=swift.key)
    name = f"{backup.service_metadata}-00001"
    client.put_object(backup.container, name, b"something else")
    client.delete_object(backup.container, f"{backup.service_metadata}-00002")
    ended = run("verify", four_backups["swift_2"].id, "-f", "json")
    assert ended.code == 1
    damage = "\n".join(ended.json["damage"])
    assert f"object {name}: its " in damage
    assert f"object {backup.service_metadata}-00002 is missing" in damage
