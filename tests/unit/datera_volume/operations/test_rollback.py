# SPDX-License-Identifier: Apache-2.0
"""What was changed is undone; a cluster that does not answer is not waited for at each step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from datera_volume.connection import AppInstance, ClusterUnreachable, OutcomeUnknown, RequestRefused
from datera_volume.connection.polling import Poller
from datera_volume.connection.resources.adapter import TenantAdapter
from datera_volume.connection.resources.tenant import Tenant
from datera_volume.operations.rollback import all_or_nothing

AI = cast("AppInstance", SimpleNamespace(name="OS-1"))
AS_CONFIGURED, AT_ONCE = None, 0.0


def failed(error: Exception, *undone: Exception | None) -> list[float | None]:
    """Return for how long each undo function may ask, the last change's first."""
    asked: list[float | None] = []
    tenant = Tenant(TenantAdapter(cast("Any", None), "/root", Poller()))

    def undo(asking: Tenant, outcome: Exception | None) -> None:
        asked.append(asking._adapter.busy_timeout)
        if outcome is not None:
            raise outcome

    def change() -> None:
        with all_or_nothing(tenant, AI) as note:
            for outcome in reversed(undone):
                note(lambda asking, outcome=outcome: undo(asking, outcome))  # type: ignore[misc]
            raise error

    with pytest.raises(type(error)):
        change()
    return asked


def test_each_change_is_undone_as_patiently_as_it_was_made() -> None:
    refused = RequestRefused("no")
    assert failed(refused, None, refused, None) == [AS_CONFIGURED] * 3


def test_a_cluster_that_was_waited_for_is_asked_once_for_each_change() -> None:
    assert failed(ClusterUnreachable("gone"), None, None) == [AT_ONCE] * 2


@pytest.mark.parametrize("silence", [ClusterUnreachable("gone"), OutcomeUnknown("lost")])
def test_a_cluster_that_falls_silent_is_waited_for_once(silence: Exception) -> None:
    asked = failed(OutcomeUnknown("lost"), silence, silence, silence)
    assert asked == [AS_CONFIGURED, AT_ONCE, AT_ONCE]


def test_nothing_is_undone_after_a_success() -> None:
    tenant = Tenant(TenantAdapter(cast("Any", None), "/root", Poller()))
    with all_or_nothing(tenant, AI) as note:
        note(lambda _asking: pytest.fail("undone"))
