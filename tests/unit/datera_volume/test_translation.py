# SPDX-License-Identifier: Apache-2.0
"""The connection's errors become Cinder's; a bug stays a bug."""

from __future__ import annotations

import pytest
from cinder import exception

from datera_volume import connection
from datera_volume.policies import BadPolicy
from datera_volume.translation import cinder_errors


@pytest.mark.parametrize(
    "error",
    [
        connection.ClusterUnreachable("at array:7718: refused"),
        connection.LoginRefused("at array:7718: refused"),
        connection.NotOnCluster("at array:7718: refused"),
        connection.OutcomeUnknown("at array:7718: refused"),
        connection.SdkMissing("at array:7718: refused"),
    ],
)
def test_every_error_of_the_family_says_what_was_done_and_why_it_failed(error: Exception) -> None:
    with (
        pytest.raises(exception.VolumeBackendAPIException) as raised,
        cinder_errors("Deleting volume v"),
    ):
        raise error
    assert "Deleting volume v: at array:7718: refused" in str(raised.value)
    assert raised.value.__cause__ is error


def test_a_spec_that_cannot_be_read_is_the_types_fault() -> None:
    with pytest.raises(exception.InvalidVolumeType, match="DF:x"), cinder_errors("Creating"):
        raise BadPolicy("DF:x is wrong")


@pytest.mark.parametrize("error", [KeyError("x"), exception.VolumeIsBusy(volume_name="v")])
def test_anything_else_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, cinder_errors("Deleting volume v"):
        raise error
    assert raised.value is error
