# SPDX-License-Identifier: Apache-2.0
"""The scheduler's figures, and volumes created without them."""

from __future__ import annotations

from typing import Any

import pytest

HOST = {"initiator": "iqn.1994-05.com.redhat:one", "host": "one"}
OTHER = {"initiator": "iqn.1994-05.com.redhat:two", "host": "two"}
VOLUME = "/app_instances/.*/volumes/volume-1"
LIMITS = (
    "/app_instances/:id/storage_instances/:storage_instance_name"
    "/volumes/:volume_name/performance_policy"
)
ACL = "/app_instances/:id/storage_instances/:storage_instance_name/acl_policy"


def test_volumes_can_be_created_before_stats_were_read(array: Any) -> None:
    driver = array.another_driver()
    volume = array.record()
    driver.create_volume(volume)
    driver.cluster.close()
    assert array.stored(volume)[2].size == 1


def test_stats_report_down_after_a_failure_and_up_with_the_next_success(
    recent: Any, caplog: pytest.LogCaptureFixture
) -> None:
    recent.emulator.faults.answer(500, {"message": "broken"}, path="/system")
    assert recent.driver.get_volume_stats(refresh=True)["backend_state"] == "down"
    assert "broken" in caplog.text
    found = recent.driver.get_volume_stats(refresh=True)
    assert (found["backend_state"], found["total_capacity_gb"] > 0) == ("up", True)
