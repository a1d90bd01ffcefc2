# SPDX-License-Identifier: Apache-2.0
"""The values that stand for objects of a cluster."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import datera_volume
from datera_volume import connection
from datera_volume.connection.transport.session import ClusterSession

MakeSession = Callable[..., ClusterSession]
HOUSE = Path(datera_volume.__file__).parent


def test_values_can_be_copied_pickled_and_asked_for_what_they_lack() -> None:
    one = connection.Snapshot(uuid="u", utc_ts="1.2", op_state="available", path="/x")
    assert pickle.loads(pickle.dumps(one)) == one
    assert not hasattr(one, "snapshot_policies")
