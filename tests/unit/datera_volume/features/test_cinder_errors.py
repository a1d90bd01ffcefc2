# SPDX-License-Identifier: Apache-2.0
"""The connection's errors become Cinder's; a bug stays a bug."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cinder import exception

from datera_volume import connection
from datera_volume.features.cinder_errors import cinder_errors
from datera_volume.operations import lookup
from datera_volume.policies import BadPolicy

pytestmark = pytest.mark.release

REASON = "at array:7718: refused"


def family(error: type[Exception] = connection.DateraError) -> Iterator[type[Exception]]:
    """Every error that the connection layer and the lookup can raise."""
    yield error
    for below in error.__subclasses__():
        yield from family(below)


@pytest.mark.parametrize("kind", family(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_family_says_what_was_done_and_why_it_failed(
    kind: type[Exception],
) -> None:
    special: dict[type[Exception], type[Exception]] = {
        lookup.VolumeMissing: exception.VolumeNotFound,
        lookup.SnapshotMissing: exception.SnapshotNotFound,
    }
    expected = special.get(kind, exception.VolumeBackendAPIException)
    with pytest.raises(expected) as raised, cinder_errors("Deleting volume v"):
        raise kind(REASON)
    assert type(raised.value) is expected
    assert f"Deleting volume v: {REASON}" in str(raised.value)
    assert type(raised.value.__cause__) is kind


def test_a_spec_that_cannot_be_read_is_the_types_fault() -> None:
    with pytest.raises(exception.InvalidVolumeType, match="DF:x"), cinder_errors("Creating"):
        raise BadPolicy("DF:x is wrong")


@pytest.mark.parametrize("error", [KeyError("x"), exception.VolumeIsBusy(volume_name="v")])
def test_errors_of_other_families_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, cinder_errors("Deleting volume v"):
        raise error
    assert raised.value is error
