# SPDX-License-Identifier: Apache-2.0
"""Times as the format has them: microseconds since 1970, UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

Clock = Callable[[], datetime]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utc_now() -> datetime:
    """Return the present."""
    return datetime.now(timezone.utc)


def to_microseconds(moment: datetime) -> int:
    """Return what the format stores."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(stored: int) -> datetime:
    """Return what :func:`to_microseconds` was given.

    :raises ValueError: that is no time.
    """
    try:
        return _EPOCH + timedelta(microseconds=stored)
    except OverflowError:
        raise ValueError(f"{stored} is not a time") from None
