# SPDX-License-Identifier: Apache-2.0
"""Images kept on the cluster: fetched once, cloned often, and never shown to the wrong project."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from datera_emulator.target import brick

pytestmark = pytest.mark.release

IMAGE = "11111111-2222-4333-8444-555555555555"
CHANGED = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
KEPT = f"OS-image-{IMAGE}"

Fetched = list[str]


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    brick.install("iqn.1994-05.com.redhat:cinder-volume")
    yield
    brick.uninstall()


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """What was fetched so far; Glance's bytes are written by the one function that fetches."""
    from cinder.image import image_utils

    fetched: Fetched = []

    def fetch(
        _context: Any, _service: Any, image_id: str, path: str, *_more: Any, **_: Any
    ) -> None:
        fetched.append(image_id)
        with open(path, "r+b") as device:
            device.write(b"image %d" % len(fetched))

    monkeypatch.setattr(image_utils, "fetch_to_raw", fetch)
    return fetched


def meta(**changes: Any) -> dict[str, Any]:
    image = {
        "id": IMAGE,
        "status": "active",
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "public",
        "owner": "e" * 32,
        "size": 2**30 + 1,
        "updated_at": CHANGED,
        "properties": {},
    }
    return {**image, **changes}


def clone(array: Any, size: int = 2, volume: Any = None, **changes: Any) -> Any:
    """The volume made from the image; None where Cinder is to make it itself."""
    volume = volume or array.record(size)
    update, made = array.driver.clone_image(None, volume, None, meta(**changes), None)
    assert update == ({"provider_id": "/root"} if made else {})
    return volume if made else None


def contents(array: Any, volume: Any) -> bytes:
    inside = array.stored(volume)[2]
    with open(array.emulator.cluster.files.path(inside.file), "rb") as file:
        return file.read(7)


def kept(array: Any) -> Any:
    found = [ai for ai in array.emulator.cluster.app_instances.values() if ai.name == KEPT]
    assert len(found) <= 1
    return found[0] if found else None


def the_storage(array: Any) -> Any:
    ((storage, _inside),) = kept(array).volumes()
    return storage


def the_volume(array: Any) -> Any:
    ((_storage, inside),) = kept(array).volumes()
    return inside


def test_an_image_is_fetched_once_and_sized_by_itself(each_caching: Any, fetched: Fetched) -> None:
    caching = each_caching
    large = clone(caching, 5)
    small = clone(caching, 2)
    assert fetched == [IMAGE]
    assert [caching.stored(one)[2].size for one in (large, small)] == [5, 2]
    assert (large.size, small.size) == (5, 2), "Cinder's records are Cinder's"
    assert contents(caching, large) == contents(caching, small) == b"image 1"
    assert the_volume(caching).size == 2
    assert (kept(caching).admin_state, the_storage(caching).initiators) == ("offline", [])
    assert clone(caching, 1) is None, "too small for the image: Cinder says so"


def test_a_clone_has_its_own_types_policies(each_caching: Any, fetched: Fetched) -> None:
    caching = each_caching
    clone(caching)
    gold = caching.volume_type(replica_count="4", total_iops_max="9")
    volume = clone(caching, volume=caching.record(3, gold))
    assert caching.stored(volume)[2].replica_count == 4
    assert caching.limits(volume) == {"total_iops_max": 9}


@pytest.mark.parametrize("zone", [timezone.utc, timezone(timedelta(hours=5)), None])
def test_an_image_that_changed_is_fetched_anew_wherever_this_host_is(
    caching: Any, fetched: Fetched, zone: timezone | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        clone(caching)
        same = CHANGED.astimezone(zone) if zone else CHANGED.replace(tzinfo=None)
        clone(caching, updated_at=same)
        assert len(fetched) == 1
        volume = clone(caching, updated_at=same + timedelta(seconds=1))
        assert len(fetched) == 2
        assert contents(caching, volume) == b"image 2"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_volumes_made_at_once_wait_for_one_fetch(caching: Any, fetched: Fetched) -> None:
    volumes = [caching.record(2) for _ in range(3)]
    failures: list[BaseException] = []

    def work(volume: Any) -> None:
        try:
            clone(caching, volume=volume)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(volume,)) for volume in volumes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (failures, fetched) == ([], [IMAGE])
    assert {contents(caching, volume) for volume in volumes} == {b"image 1"}


def test_fetch_by_others_that_takes_too_long_is_not_waited_for(
    caching: Any, fetched: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_volume.features import image_cache, removable_locks

    monkeypatch.setattr(image_cache, "FETCH_SECONDS", 0.0)
    tenant = caching.driver.cluster.tenant()
    with removable_locks.held(image_cache._lock_name(tenant, KEPT), 30) as others:
        assert others
        assert clone(caching) is None
    assert fetched == []
    assert clone(caching) is not None


def test_a_fetch_that_fails_leaves_nothing_and_is_cinders_to_repeat(
    caching: Any, monkeypatch: pytest.MonkeyPatch, fetched: Fetched
) -> None:
    from cinder.image import image_utils

    def break_off(*_arguments: Any, **_: Any) -> None:
        raise OSError("broken pipe")

    whole: Callable[..., None] = image_utils.fetch_to_raw
    monkeypatch.setattr(image_utils, "fetch_to_raw", break_off)
    assert clone(caching) is None
    assert caching.emulator.cluster.app_instances == {}
    monkeypatch.setattr(image_utils, "fetch_to_raw", whole)
    assert clone(caching) is not None


def test_a_type_for_images_that_is_not_there_is_cinders_to_do_without(
    caching: Any, fetched: Fetched
) -> None:
    import dataclasses

    driver = caching.driver
    missing = "11111111-2222-4333-8444-555555555556"
    driver._settings = dataclasses.replace(driver.settings, image_cache_type=missing)
    assert clone(caching) is None
    assert (fetched, caching.emulator.cluster.app_instances) == ([], {})


def test_a_copy_that_a_dead_process_left_half_is_not_cloned(caching: Any, fetched: Fetched) -> None:
    clone(caching)
    kept(caching).descr = f"Image {IMAGE} while it is fetched"
    assert contents(caching, clone(caching)) == b"image 2"


@pytest.mark.parametrize(
    "changes",
    [
        {"visibility": "private"},
        {"visibility": None, "is_public": False},
        {"disk_format": "qcow2"},
        {"container_format": "compressed"},
        {"status": "queued"},
        {"properties": {"img_signature": "x"}},
        {"updated_at": None},
        {"size": None},
    ],
    ids=str,
)
def test_what_may_not_be_kept_is_left_to_cinder(
    caching: Any, fetched: Fetched, changes: dict[str, Any]
) -> None:
    clone(caching)
    caching.requests()
    assert clone(caching, **changes) is None
    assert caching.requests() == 0


def test_a_private_image_is_cloned_for_its_owner(caching: Any, fetched: Fetched) -> None:
    owner = caching.service.context.project_id
    assert clone(caching, visibility="private", owner=owner) is not None


def test_without_the_option_no_image_is_kept(recent: Any, fetched: Fetched) -> None:
    assert clone(recent) is None
    assert (fetched, recent.emulator.cluster.app_instances) == ([], {})
