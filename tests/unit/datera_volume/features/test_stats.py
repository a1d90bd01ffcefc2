# SPDX-License-Identifier: Apache-2.0
"""Capacities are told in GiB of data, not in raw bytes."""

from __future__ import annotations

import pytest

from datera_volume.connection import SystemInfo
from datera_volume.features.stats import capacity_stats

TIB = 2**40


def test_each_replica_takes_its_share() -> None:
    system = SystemInfo(
        "u",
        "n",
        "3.3.0.0",
        total_capacity=6 * TIB,
        available_capacity=3 * TIB,
        total_provisioned_capacity=2 * TIB,
        hybrid_total_capacity=6 * TIB,
    )
    stats = capacity_stats(system, 3)
    assert stats["total_capacity_gb"] == 2048.0
    assert stats["free_capacity_gb"] == 1024.0
    assert stats["provisioned_capacity_gb"] == pytest.approx(2048 / 3, abs=0.01)
    assert stats["total_hybrid_capacity_gb"] == 2048.0
