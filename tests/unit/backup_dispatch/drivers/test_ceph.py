# SPDX-License-Identifier: Apache-2.0
"""What Cinder's Ceph driver leaves of a backup, in each of the forms that it has had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cinder import objects

objects.register_all()

from cinder.backup.drivers.ceph import CephBackupDriver  # noqa: E402 - after Cinder's objects

from backup_dispatch.drivers import ceph  # noqa: E402
from backup_dispatch.drivers.custody import holds  # noqa: E402
from backup_dispatch.errors import ParentRefused  # noqa: E402
from tests.fixtures.backends.ceph_stand_in import Cluster, Error, ObjectNotFound, Pool  # noqa: E402

pytestmark = pytest.mark.release

OWN = "volume-v1.backup.b1"
OLD = "volume-v1.backup.base"
SNAPSHOT = "backup.b1.snap.1700000000.5"
ANOTHER = "backup.b2.snap.1700000000.5"


def driver_of(cluster: Cluster) -> Any:
    """The driver as it is, without what its constructor reads from cinder.conf."""
    driver = CephBackupDriver.__new__(CephBackupDriver)
    driver.rados = driver.rbd = cluster
    driver._ceph_backup_user, driver._ceph_backup_conf = "cinder", "/etc/ceph/ceph.conf"
    driver._ceph_backup_pool = "backups"
    return driver


def backup(**fields: Any) -> Any:
    fields = {
        "id": "b1", "volume_id": "v1", "container": "backups", "service_metadata": None,
        "parent": None, "parent_id": None, "snapshot_id": None, **fields,
    }  # fmt: skip
    return SimpleNamespace(**fields)


def based_on(image: str) -> Any:
    return backup(service_metadata=f'{{"base": "{image}"}}')


TABLE = [
    # images with snapshots, objects, the record -> the answer
    ({}, (), backup(), False),
    ({OWN: []}, (), backup(), True),  # a full one of a volume elsewhere
    ({OWN: [SNAPSHOT]}, (), based_on(OWN), True),  # a full one of a volume on RBD
    ({OWN: []}, (), based_on(OWN), True),  # one that was not finished
    ({OWN: [ANOTHER]}, (), based_on(OWN), True),  # its incrementals are left: the image is its own
    ({"volume-v1.backup.b0": [SNAPSHOT]}, (), based_on("volume-v1.backup.b0"), True),
    ({"volume-v1.backup.b0": [ANOTHER]}, (), based_on("volume-v1.backup.b0"), False),
    ({"volume-v1.backup.b0": []}, (), backup(), False),
    ({OLD: [SNAPSHOT, ANOTHER]}, (), backup(), True),  # from before chains named their image
    ({OLD: [ANOTHER]}, (), backup(), False),
    ({OLD: [ANOTHER]}, (), backup(snapshot_id="s1"), False),
    ({OLD: []}, (), backup(), False),
    ({OLD: []}, (), backup(snapshot_id="s1"), None),  # of a snapshot; of this one?
    ({OLD: []}, ("backup.b1.meta",), backup(snapshot_id="s1"), True),
    ({}, ("backup.b1.meta",), backup(), True),
    ({}, ("backup.b2.meta",), backup(), False),
    ({"volume-v2.backup.b1": []}, (), backup(), False),
    ({OWN: []}, (), backup(container="elsewhere"), False),  # no such pool here
    ({OWN: []}, (), backup(container=None), False),
    # Records of other drivers say other things there.
    ({OLD: [ANOTHER]}, (), backup(service_metadata="volume_v1_backup_b1"), False),
    ({OLD: [ANOTHER]}, (), backup(service_metadata='["base"]'), False),
    ({OLD: [ANOTHER]}, (), backup(service_metadata='{"container": "c"}'), False),
]  # fmt: skip


@pytest.mark.parametrize(("images", "stored", "record", "answer"), TABLE)
def test_what_is_in_the_pool_answers(
    images: dict[str, list[str]], stored: tuple[str, ...], record: Any, answer: bool | None
) -> None:
    cluster = Cluster(backups=Pool(images, set(stored)), other=Pool())
    assert holds(driver_of(cluster), record) is answer
    assert cluster.connections == 0


def test_a_child_that_never_came_back_shares_the_image_of_its_parent() -> None:
    parent = based_on("volume-v1.backup.b0")
    record = backup(parent=parent, parent_id="b0")
    for snapshots, answer in (([SNAPSHOT], True), ([ANOTHER], False)):
        cluster = Cluster(backups=Pool({"volume-v1.backup.b0": snapshots}))
        assert holds(driver_of(cluster), record) is answer


def test_the_records_pool_counts_and_not_the_backends_own() -> None:
    cluster = Cluster(backups=Pool(), other=Pool({OWN: []}))
    assert holds(driver_of(cluster), backup(container="other")) is True
    assert holds(driver_of(cluster), backup()) is False


@pytest.mark.parametrize("fault", [Error("timed out"), ObjectNotFound("no keyring")])
def test_a_cluster_that_is_away_says_nothing(fault: Exception) -> None:
    cluster = Cluster(backups=Pool({OWN: []}))
    cluster.fault = fault
    assert holds(driver_of(cluster), backup()) is None
    assert holds(driver_of(cluster), backup(container="elsewhere")) is None
    assert cluster.connections == 0


def test_a_cluster_without_the_backends_own_pool_says_nothing() -> None:
    assert holds(driver_of(Cluster(other=Pool())), backup(container="other")) is None


@pytest.mark.parametrize(
    ("record", "on_rbd", "refused"),
    [
        (backup(parent_id="b0"), False, True),
        (backup(parent_id="b0"), True, False),
        (backup(), False, False),
        # The driver makes a full copy of a snapshot, whatever is asked for.
        (backup(parent_id="b0", snapshot_id="s1"), False, False),
    ],
)
def test_an_incremental_of_a_volume_elsewhere_is_refused_in_clear_words(
    record: Any, on_rbd: bool, refused: bool
) -> None:
    file = SimpleNamespace(rbd_image=object()) if on_rbd else object()
    driver = driver_of(Cluster())
    if refused:
        with pytest.raises(ParentRefused, match=r"^Backend east makes incremental backups only"):
            ceph.refuse_incremental_of_others(driver, record, file, "east")
    else:
        ceph.refuse_incremental_of_others(driver, record, file, "east")
    ceph.refuse_incremental_of_others(object(), record, file, "east")
