# SPDX-License-Identifier: Apache-2.0
"""Changes whose outcome is in doubt: the cluster is read again to learn whether they took effect.

A response may be lost, be unreadable, or report a fault after the change was made; and a change
that was repeated after a lost response may be refused because it has been made already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from datera_volume.connection.errors import (
    AlreadyOnCluster,
    ClusterFault,
    DateraError,
    NotOnCluster,
    NotReadyInTime,
    OutcomeUnknown,
    RequestInvalid,
    RequestRefused,
    UnexpectedAnswer,
)
from datera_volume.connection.resources.adapter import SETTLE_SECONDS, Fields, TenantAdapter
from datera_volume.connection.resources.model import VolumeRef
from datera_volume.connection.transport import tracing

LOG = tracing.logger(__name__)

T = TypeVar("T")

DOUBTFUL = (OutcomeUnknown, UnexpectedAnswer, ClusterFault, AlreadyOnCluster, RequestRefused)

InEffect = Callable[[Fields], bool]


def sure(make: Callable[[], T], look: Callable[[], T | None], what: str) -> T:
    """Make a change, and where its outcome is in doubt, check whether it took effect.

    :param look: returns what the change would have returned; None where it is not in effect.
    :param what: the change, for error messages.
    :raises OutcomeUnknown: checking failed, too.
    :raises DateraError: what the change raised, if it is not in effect.
    """
    try:
        return make()
    except DOUBTFUL as doubt:
        found = _looked_at(look, doubt, what)
        if found is None:
            raise
        LOG.warning("The change was made nevertheless (%s): %s", what, doubt)
        return found


def change(adapter: TenantAdapter, path: str, body: Fields, is_so: InEffect, what: str) -> Fields:
    """Update an object, and return it as the cluster shows it.

    :param is_so: whether the change is in effect, judged by the object.
    :raises OutcomeUnknown, DateraError: as :func:`sure` does.
    """

    def look() -> Fields | None:
        fields = adapter.get(path)
        return fields if is_so(fields) else None

    return sure(lambda: _put(adapter, path, body), look, what)


def change_volume(
    adapter: TenantAdapter, ref: VolumeRef, body: Fields, is_so: InEffect, what: str
) -> Fields:
    """Update a volume, and return it as the cluster shows it; the change may be in progress.

    If it is refused while another change of the same volume is in progress, it is repeated
    afterwards.

    :raises OutcomeUnknown, DateraError: as :func:`sure` does.
    """
    again = True
    while True:
        try:
            return _put(adapter, ref.path, body)
        except DOUBTFUL as doubt:
            was_busy, found = _looked_at(lambda: _when_idle(adapter, ref, what), doubt, what)
            if is_so(found):
                LOG.warning("The change was made nevertheless (%s): %s", what, doubt)
                return found
            refused = isinstance(doubt, (AlreadyOnCluster, RequestRefused))
            if not (was_busy and again and refused) or isinstance(doubt, RequestInvalid):
                raise
            again = False


def done_twice(make: Callable[[], Any]) -> None:
    """Make an idempotent change whose effect cannot be read; repeat it once in doubt.

    :raises DateraError: what the change raised the second time.
    """
    try:
        make()
    except (UnexpectedAnswer, ClusterFault) as exc:
        LOG.warning("The change is repeated: %s", exc)
        make()


def removed(remove: Callable[[], None], look: Callable[[], Any], what: str) -> None:
    """Delete an object, and where the outcome is in doubt, check whether it is gone.

    A single 404 proves nothing: proving the absence is up to the caller, see
    :mod:`datera_volume.connection.resources.absence`.

    :param look: raises :class:`NotOnCluster` where it is gone.
    :raises NotOnCluster: it is not found, afterwards or from the start.
    :raises OutcomeUnknown, DateraError: as :func:`sure` does.
    """

    try:
        remove()
    except NotOnCluster as missing:
        look()
        raise _though_there(missing) from missing
    except DOUBTFUL as doubt:
        _looked_at(look, doubt, what)
        raise


def is_busy(volume: Fields) -> bool:
    """Whether a change of the volume is in progress, by the states of API 2.1."""
    return str(volume.get("op_status") or "").endswith("_in_progress")


def _put(adapter: TenantAdapter, path: str, body: Fields) -> Fields:
    """Update an object that was just read; a 404 is not taken for its absence unchecked."""
    try:
        return adapter.put(path, body)
    except NotOnCluster as missing:
        adapter.get(path)
        raise _though_there(missing) from missing


def _though_there(missing: NotOnCluster) -> RequestRefused:
    # An object that the request refers to may be the one that is missing.
    return RequestRefused(f"{missing} (although it exists)")


def _looked_at(look: Callable[[], T], doubt: DateraError, what: str) -> T:
    try:
        return look()
    except NotOnCluster:
        raise
    except DateraError as exc:
        raise OutcomeUnknown(f"The outcome is unknown ({what}): {doubt}; {exc}") from exc


def _when_idle(adapter: TenantAdapter, ref: VolumeRef, what: str) -> tuple[bool, Fields]:
    """Return a volume, and whether a change of it was in progress and has ended."""
    fields = adapter.get(ref.path)
    if not is_busy(fields):
        return False, fields
    try:
        return True, adapter.poller.until(
            lambda: adapter.get(ref.path),
            lambda seen: not is_busy(seen),
            seconds=SETTLE_SECONDS,
            what=f"the volume to be idle ({what})",
            forgive=DOUBTFUL,
        )
    except NotReadyInTime:
        # Migrating data to other nodes may take hours.
        return False, adapter.get(ref.path)
