# SPDX-License-Identifier: Apache-2.0
"""When a backup was last verified, and with what result: properties of the backup itself.

So a rebuilt host still finds it, a user sees it, and it goes with the backup. Users can change
properties: what cannot be understood, or lies in the future, counts as never verified.

===========================  ======================================================================
:data:`VERIFIED`             the last verdict, for example ``sound 2026-11-30T06:11:41Z``
:data:`TRIED`                the last attempt without a verdict, if there was none since
===========================  ======================================================================

A verdict may be followed by words and their values: ``read``, a time, where the backup's own data
was read at another time than that of the verdict; ``mark``, by which the same damage is recognised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cinder.objects import fields

from backup_dispatch import backup_rows
from backup_dispatch.drivers.verification import Verdict

VERIFIED = "backup_verified"
"""The property of a backup that has its last verdict, such as ``sound 2026-11-30T06:11:41Z``."""

TRIED = "backup_verification_tried"
"""The property of a backup that has the last attempt to verify it that gave no verdict."""

PROPERTIES = (VERIFIED, TRIED)
"""Properties that describe one backup's data in one place: a copy of it must not inherit them."""

STATUSES = (fields.BackupStatus.AVAILABLE, fields.BackupStatus.RESTORING)
"""The states in which a backup is verified, and the result is remembered."""

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_MARK_LENGTH = 12
_CLOCKS_DIFFER = timedelta(hours=1)
_CONCLUSIVE = {one.value: one for one in (Verdict.SOUND, Verdict.DAMAGED)}


@dataclass(frozen=True)
class Remembered:
    """The last verdict on a backup; times are in UTC.

    :ivar verdict: sound or damaged.
    :ivar since: sound: all that a restore reads was read at this time or later; damaged: when that
        was found.
    :ivar read: when the backup's own data was read; None if it never was.
    :ivar mark: the damage, see :func:`mark_of`.
    """

    verdict: Verdict
    since: datetime
    read: datetime | None
    mark: str = ""

    def __str__(self) -> str:
        words = [self.verdict.value, self.since.strftime(_TIME)]
        if self.read != self.since:
            words += ["read", self.read.strftime(_TIME) if self.read else "never"]
        if self.mark:
            words += ["mark", self.mark]
        return " ".join(words)


@dataclass(frozen=True)
class Past:
    """What is remembered of a backup's verifications.

    :ivar last: the last verdict.
    :ivar tried: the last attempt that gave none, if it was after that.
    """

    last: Remembered | None = None
    tried: datetime | None = None

    @property
    def is_sound(self) -> bool:
        """Whether the last verdict was so."""
        return self.last is not None and self.last.verdict is Verdict.SOUND

    @property
    def is_damaged(self) -> bool:
        """Whether the last verdict was so."""
        return self.last is not None and self.last.verdict is Verdict.DAMAGED

    def is_sound_since(self, limit: datetime) -> bool:
        """Whether the last verdict was sound, and is not older than that."""
        return self.is_sound and self.last is not None and self.last.since >= limit


NEVER = Past()


def past_in(properties: Mapping[str, str], now: datetime) -> Past:
    """What a backup's properties say.

    :param now: in UTC, without a time zone, as all times here.
    """
    latest = now + _CLOCKS_DIFFER
    last = _understood(properties.get(VERIFIED, ""), latest)
    tried = _time(properties.get(TRIED, "").partition(" ")[0], latest)
    return Past(last, tried)


def pasts(context: Any, now: datetime) -> dict[str, Past]:
    """The past of all backups that have one, by ID."""
    found = backup_rows.properties(context, PROPERTIES)
    return {backup: past_in(values, now) for backup, values in found.items()}


def remember(context: Any, backup_id: str, verdict: Remembered) -> bool:
    """Save a verdict.

    :returns: False if the backup is deleted, or is being deleted: nothing was saved.
    """
    return _set(context, backup_id, {VERIFIED: str(verdict), TRIED: None})


def remember_attempt(context: Any, backup_id: str, at: datetime, why: str) -> bool:
    """Save that there was no verdict, so that others have their turn first.

    :param why: a few words.
    :returns: False if the backup is deleted, or is being deleted: nothing was saved.
    """
    return _set(context, backup_id, {TRIED: f"{at.strftime(_TIME)} {why}"})


def mark_of(damage: Iterable[str]) -> str:
    """A short text that is the same for the same damage, in whatever order it was found."""
    lines = "\n".join(sorted(damage))
    return hashlib.sha256(lines.encode()).hexdigest()[:_MARK_LENGTH]


def _set(context: Any, backup_id: str, values: Mapping[str, str | None]) -> bool:
    done: bool = backup_rows.set_properties(context, backup_id, values, STATUSES)
    return done


def _understood(text: str, latest: datetime) -> Remembered | None:
    word, _, rest = text.partition(" ")
    since, *more = rest.split(" ")
    verdict, at = _CONCLUSIVE.get(word), _time(since, latest)
    if verdict is None or at is None:
        return None
    named = dict(zip(more[::2], more[1::2], strict=False))
    read = _time(named["read"], latest) if "read" in named else at
    return Remembered(verdict, at, read, named.get("mark", ""))


def _time(text: str, latest: datetime) -> datetime | None:
    try:
        at = datetime.strptime(text, _TIME)
    except ValueError:
        return None
    return at if at <= latest else None
