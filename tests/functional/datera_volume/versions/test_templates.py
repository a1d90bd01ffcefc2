# SPDX-License-Identifier: Apache-2.0
"""Volumes that are made from templates have the size that Cinder asked for, or are not made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cinder import exception
from oslo_utils import uuidutils

MakeTemplate = Callable[..., str]


@pytest.fixture
def template() -> MakeTemplate:
    """Make a template on a cluster and return its name."""

    def template(array: Any, size: int = 2, storages: int = 1, **volume: Any) -> str:
        name = f"template-{uuidutils.generate_uuid()}"
        inside = {"name": "volume-1", "size": size, "replica_count": 2, **volume}
        wanted = [
            {"name": f"storage-{number}", "volume_templates": [inside]}
            for number in range(1, storages + 1)
        ]
        array.ask("/app_templates", name=name, storage_templates=wanted)
        return name

    return template


def test_the_template_says_what_the_volume_is_like(array: Any, template: MakeTemplate) -> None:
    policy = {"write_iops_max": 9}
    name = template(array, performance_policy=policy)
    volume = array.volume(2, array.volume_type(template=name))
    found, storage, inside = array.stored(volume)
    assert found.app_template == name
    assert (inside.size, inside.replica_count) == (2, 2)
    assert array.limits(volume) == policy
    assert storage.access_control_mode == "deny_all"
    # A product might take that from the template, whatever was asked for.
    storage.access_control_mode = "allow_all"
    array.driver.create_volume(volume)
    assert storage.access_control_mode == "deny_all"


def test_the_size_is_cinders_or_nothing_is_made(array: Any, template: MakeTemplate) -> None:
    gold = array.volume_type(template=template(array))
    for size, possible in ((1, array.recent), (4, array.product >= (3, 3))):
        if possible:
            assert array.stored(array.volume(size, gold))[2].size == size
        else:
            with pytest.raises(exception.VolumeBackendAPIException, match="template"):
                array.volume(size, gold)
    made = array.emulator.cluster.app_instances.values()
    assert 2 not in {inside.size for one in made for _storage, inside in one.volumes()}


def test_extending_a_templates_volume_works_or_fails_but_is_never_forgotten(
    array: Any, template: MakeTemplate
) -> None:
    gold = array.volume_type(template=template(array), iops_per_gb="10")
    volume = array.volume(2, gold)
    assert array.limits(volume) == {"total_iops_max": 20}
    if array.product >= (3, 3):
        array.driver.extend_volume(volume, 3)
        assert (array.stored(volume)[2].size, array.limits(volume)["total_iops_max"]) == (3, 30)
    else:
        with pytest.raises(exception.VolumeBackendAPIException, match="template"):
            array.driver.extend_volume(volume, 3)
        found, _storage, inside = array.stored(volume)
        assert (inside.size, found.admin_state) == (2, "online")


def test_other_names_than_the_usual_ones(recent: Any) -> None:
    name = f"template-{uuidutils.generate_uuid()}"
    inside = {"name": "lun", "size": 1}
    storages = [{"name": "target", "volume_templates": [inside]}]
    recent.ask("/app_templates", name=name, storage_templates=storages)
    names = {"default_storage_name": "target", "default_volume_name": "lun"}
    for specs in ({"template": name, **names}, names):
        _found, storage, made = recent.stored(recent.volume(3, recent.volume_type(**specs)))
        assert (storage.name, made.name, made.size) == ("target", "lun", 3)


def test_a_copy_of_a_templates_volume_has_its_own_size_and_limits(
    array: Any, template: MakeTemplate
) -> None:
    gold = array.volume_type(template=template(array), total_iops_max="50")
    volume, copy = array.volume(2, gold), array.record(3, gold)
    array.driver.create_cloned_volume(copy, volume)
    assert array.stored(copy)[2].size == 3
    assert array.limits(copy) == {"total_iops_max": 50}


def test_a_template_of_several_volumes_is_none_for_cinder(
    recent: Any, template: MakeTemplate
) -> None:
    gold = recent.volume_type(template=template(recent, storages=2))
    with pytest.raises(exception.VolumeBackendAPIException, match="2 storage instances"):
        recent.volume(2, gold)
    assert recent.emulator.cluster.app_instances == {}


def test_a_template_that_is_missing_is_named(recent: Any) -> None:
    with pytest.raises(exception.VolumeBackendAPIException, match="no-such-template"):
        recent.volume(1, recent.volume_type(template="no-such-template"))


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_makes_no_second_volume(
    recent: Any, template: MakeTemplate, *, applied: bool
) -> None:
    gold = recent.volume_type(template=template(recent))
    recent.emulator.faults.drop(method="POST", path="/app_instances", applied=applied)
    volume = recent.volume(2, gold)
    recent.driver.create_volume(volume)
    assert len(recent.emulator.cluster.app_instances) == 1


def test_without_the_override_the_size_must_be_the_templates(
    recent: Any, template: MakeTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    settings = dataclasses.replace(recent.driver.settings, template_override=False)
    monkeypatch.setattr(recent.driver, "_settings", settings)
    gold = recent.volume_type(template=template(recent))
    assert recent.stored(recent.volume(3, gold))[2].size == 3  # it is made to grow
    with pytest.raises(exception.VolumeBackendAPIException, match="override with 1 GiB"):
        recent.volume(1, gold)
