# SPDX-License-Identifier: Apache-2.0
"""Copies of images go when Glance has those no more, and only then."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any
from unittest import mock

import pytest
from cinder import context as cinder_context
from cinder import objects
from cinder.common import constants
from oslo_config import cfg

from datera_emulator.target import brick
from tests.fixtures.small_glance import ADMIN_TOKEN, SmallGlance, small_glance

pytestmark = pytest.mark.long

CHANGED = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)

Keep = Callable[..., str]


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    brick.install("iqn.1994-05.com.redhat:cinder-volume")
    yield
    brick.uninstall()


@pytest.fixture(autouse=True)
def no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Glance here has no data, and what is copied does not matter."""
    from cinder.image import image_utils

    monkeypatch.setattr(image_utils, "fetch_to_raw", lambda *_arguments, **_more: None)


@pytest.fixture
def glance() -> Iterator[SmallGlance]:
    from cinder.image import glance as cinder_glance

    conf = cfg.CONF
    before = {name: conf[name] for name in ("glance_api_servers", "glance_num_retries")}
    assert cinder_glance.CONF is conf
    with small_glance() as served:
        conf.set_override("glance_api_servers", [served.url])
        conf.set_override("glance_num_retries", 0)
        try:
            yield served
        finally:
            for name, value in before.items():
                conf.set_override(name, value)


@contextmanager
def reported(array: Any) -> Iterator[None]:
    """Inside, this backend is in Cinder's database as it is once its service has reported."""
    service = objects.Service(
        cinder_context.get_admin_context(),
        host=array.driver.host,
        binary=constants.VOLUME_BINARY,
        topic=constants.VOLUME_TOPIC,
        report_count=1,
    )
    service.create()
    try:
        yield
    finally:
        service.destroy()


@pytest.fixture
def keep(caching: Any, glance: SmallGlance) -> Iterator[Keep]:
    """Make a volume from a new image, which is kept thereby; returns the image's id."""
    with reported(caching):
        yield functools.partial(kept_from, caching, glance)


def kept_from(
    array: Any, glance: SmallGlance, token: str | None = ADMIN_TOKEN, *, is_admin: bool = True
) -> str:
    """Make a volume from a new image on this cluster."""
    from cinder.image.glance import get_default_image_service

    image_id = str(uuid.uuid4())
    glance.images[image_id] = {
        "id": image_id,
        "status": "active",
        "visibility": "public",
        "disk_format": "raw",
        "container_format": "bare",
        "size": 2**20,
        "owner": "e" * 32,
        "created_at": "2026-03-29T01:30:00Z",
        "updated_at": "2026-03-29T01:30:00Z",
    }
    asking = cinder_context.RequestContext(
        "user",
        array.service.context.project_id,
        is_admin=is_admin,
        auth_token=token,
        overwrite=False,
    )
    meta = {**glance.images[image_id], "updated_at": CHANGED, "properties": {}}
    volume = array.record(1)
    made = array.driver.clone_image(asking, volume, None, meta, get_default_image_service())
    assert made == ({"provider_id": "/root"}, True)
    return image_id


def copies(array: Any) -> dict[str, Any]:
    """The copies on the cluster, by their images' ids."""
    prefix = "OS-image-"
    return {
        ai.name.removeprefix(prefix): ai
        for ai in array.emulator.cluster.app_instances.values()
        if ai.name.startswith(prefix)
    }


def test_the_copy_of_a_deleted_image_goes_when_the_next_is_fetched(
    each_caching: Any, glance: SmallGlance
) -> None:
    stored = each_caching.emulator.cluster.app_instances
    with reported(each_caching):
        deleted, present = (kept_from(each_caching, glance) for _ in range(2))
        assert set(copies(each_caching)) == {deleted, present}
        del glance.images[deleted]
        newest = kept_from(each_caching, glance)
    assert set(copies(each_caching)) == {present, newest}
    assert len(stored) == 2 + 3, "the volumes that were made from it stay"


def test_the_copy_of_another_state_of_an_image_goes(
    caching: Any, keep: Keep, glance: SmallGlance
) -> None:
    changed = keep()
    glance.images[changed]["updated_at"] = "2026-03-30T01:30:00Z"
    newest = keep()
    assert set(copies(caching)) == {newest}


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_glance_that_is_away_is_no_proof(
    caching: Any, keep: Keep, glance: SmallGlance, status: int
) -> None:
    """404 for every image is what a proxy says whose Glance is gone."""
    deleted = keep()
    del glance.images[deleted]
    glance.status = status
    kept = {deleted, keep()}
    assert set(copies(caching)) == kept
    assert glance.asked, "it was asked"
    glance.status = None
    keep()
    assert deleted not in copies(caching)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_any_other_answer_about_one_image_is_no_proof(
    caching: Any, keep: Keep, glance: SmallGlance, status: int
) -> None:
    image = keep()
    glance.statuses[image] = status
    keep()
    assert image in copies(caching)
    assert image in glance.asked


def test_what_a_dead_process_left_half_fetched_goes_too(
    caching: Any, keep: Keep, glance: SmallGlance
) -> None:
    deleted = keep()
    del glance.images[deleted]
    copies(caching)[deleted].descr = f"Image {deleted} while it is fetched"
    keep()
    assert deleted not in copies(caching)


def test_who_does_not_see_all_images_proves_nothing(
    caching: Any, keep: Keep, glance: SmallGlance, caplog: pytest.LogCaptureFixture
) -> None:
    private = keep()
    glance.images[private]["visibility"] = "private"
    asked = len(glance.asked)
    two = {keep("somebody's", is_admin=False), keep("somebody's", is_admin=False)}
    assert set(copies(caching)) == {private, *two}
    assert len(glance.asked) == asked
    assert caplog.text.count("there is no context that sees every image") == 1


@pytest.mark.parametrize("of_others", ["another maker", "no maker", "a snapshot", "a host", "name"])
def test_what_is_not_provably_ours_and_unused_stays(
    caching: Any, keep: Keep, glance: SmallGlance, of_others: str
) -> None:
    deleted = keep()
    del glance.images[deleted]
    tenant = caching.driver.cluster.tenant()
    copy = tenant.app_instance(f"OS-image-{deleted}")
    if of_others == "another maker":
        tenant.update_metadata(copy, {"cinder_service": str(uuid.uuid4())})
    elif of_others == "no maker":
        tenant.update_metadata(copy, {"cinder_service": ""})
    elif of_others == "a snapshot":
        tenant.snapshot(copy.volume, str(uuid.uuid4()))
    elif of_others == "a host":
        tenant.allow_initiator(copy.storage_instance, "iqn.1994-05.com.redhat:one", "one")
    else:
        tenant.describe(copy, "Image that the operator has made")
    keep()
    assert deleted in copies(caching)


def test_what_cannot_be_deleted_is_left_and_told_once(
    caching: Any, keep: Keep, glance: SmallGlance, caplog: pytest.LogCaptureFixture
) -> None:
    deleted = keep()
    del glance.images[deleted]
    caching.emulator.faults.answer(
        400, {"message": "in use"}, method="DELETE", path="/app_instances/[^/]+", times=None
    )
    for _twice in range(2):
        keep()
    assert deleted in copies(caching)
    assert caplog.text.count(f"OS-image-{deleted} is outdated and could not be deleted") == 1
    caching.emulator.faults.clear()
    keep()
    assert deleted not in copies(caching)


def test_a_copy_that_is_being_cloned_from_waits_for_the_next_time(
    caching: Any, keep: Keep, glance: SmallGlance
) -> None:
    from datera_volume.features import image_cache, removable_locks

    deleted = keep()
    del glance.images[deleted]
    tenant = caching.driver.cluster.tenant()
    with removable_locks.held(image_cache._lock_name(tenant, f"OS-image-{deleted}"), 30):
        keep()
        assert deleted in copies(caching)
    keep()
    assert deleted not in copies(caching)


def test_the_lock_of_a_copy_goes_with_it(caching: Any, keep: Keep, glance: SmallGlance) -> None:
    deleted = keep()
    assert any(deleted in name for name in caching.lock_files())
    del glance.images[deleted]
    newest = keep()
    assert not any(deleted in name for name in caching.lock_files())
    assert any(newest in name for name in caching.lock_files())


def test_an_image_that_cannot_be_fetched_leaves_no_lock(
    caching: Any, keep: Keep, glance: SmallGlance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder.image import image_utils

    before = caching.lock_files()
    monkeypatch.setattr(image_utils, "fetch_to_raw", mock.Mock(side_effect=OSError("no room")))
    with pytest.raises(AssertionError):  # that it was made
        keep()
    assert caching.lock_files() == before


def test_an_image_is_kept_in_a_tenant_and_in_one_below_it(
    caching: Any, keep: Keep, glance: SmallGlance
) -> None:
    """As a file, the lock of the one must not stand where that of the other has a folder."""
    from cinder.image.glance import get_default_image_service

    image = keep()
    usual = caching.driver.settings
    caching.driver._settings = dataclasses.replace(usual, tenant="below")
    try:
        asking = cinder_context.RequestContext("user", "p", is_admin=True, auth_token=ADMIN_TOKEN)
        meta = {**glance.images[image], "updated_at": CHANGED, "properties": {}}
        made = caching.driver.clone_image(
            asking, caching.record(1), None, meta, get_default_image_service()
        )
    finally:
        caching.driver._settings = usual
    assert made[1]
    assert {ai.tenant for ai in caching.emulator.cluster.app_instances.values()} == {
        "/root",
        "/root/below",
    }


def test_few_are_looked_at_each_time_however_many_there_are(
    caching: Any, keep: Keep, glance: SmallGlance
) -> None:
    images = [keep() for _ in range(8)]
    caching.requests()
    glance.asked.clear()
    keep()
    assert len(glance.asked) == 5
    many = caching.requests()
    for image in images:
        del glance.images[image]
    for _ in range(3):
        keep()
    assert len(copies(caching)) == 4, "three are new, and one is from before"
    assert many < 34
