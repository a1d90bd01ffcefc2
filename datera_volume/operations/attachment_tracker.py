# SPDX-License-Identifier: Apache-2.0
"""Which hosts a volume is attached to: Cinder's records, and what they do not show yet.

A record gets its connector only after the driver has granted access, and is deleted only after the
driver has revoked it; what Cinder attaches for itself has no record at all. Meanwhile a transition
stands for a host that is arriving or leaving; it is stored by
:mod:`datera_volume.operations.attachment_transitions`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from datera_volume.connection import fold_iqn

# Seconds after which a record is no longer expected to appear, or to be deleted: Cinder's database
# lags behind the driver, even more during a failover of the database.
REMEMBERED = 120.0

# Length of a hash, which must only be unique among the few of one volume.
MARK_CHARACTERS = 10

UNKNOWN = "?"
"""Stands for any initiator."""

Connector = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """One of Cinder's attachment records; without a connector it has no host yet."""

    id: str
    connector: Connector | None

    @property
    def iqn(self) -> str | None:
        """The initiator of its connector."""
        return (self.connector or {}).get("initiator")


@dataclass(frozen=True)
class Remaining:
    """What remains attached after a detachment.

    :param from_host: number of attachments of the same initiator.
    :param nobody: it was the last record of the volume, and no transition is pending.
    """

    from_host: int
    nobody: bool


@dataclass(frozen=True)
class Transition:
    """A host that is arriving or leaving, and how its record will be recognised.

    Everything but the time is a short hash; see :func:`mark`.

    :param at: seconds since 1970, by the clock of the host that granted or revoked access.
    :param records: on arrival the existing records with the same connector, without its own; on
        departure those that include its own.
    :param others: on arrival the records with another connector, each with its initiator: one of
        these may be given this connector instead.
    """

    kind: Literal["arriving", "leaving"]
    iqn: str
    connector: str
    at: float
    records: frozenset[str] = frozenset()
    others: Mapping[str, str] = field(default_factory=dict)


def mark(text: str) -> str:
    """Return the hash that stands for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:MARK_CHARACTERS]


def host_mark(iqn: str) -> str:
    """Return an initiator's hash, the same for upper and lower case."""
    return mark(fold_iqn(iqn))


class AttachmentTracker:
    """The hosts that a volume is attached to, at one moment.

    To be used while the volume's attachments are locked.

    :param transitions: as :attr:`transitions` was left at the last use.
    :param records: Cinder's attachments of the volume, now.
    :param now: seconds since 1970.
    """

    def __init__(
        self, transitions: Iterable[Transition], records: Sequence[Record], now: float
    ) -> None:
        self.stored = tuple(transitions)
        self._records = [_Seen.of(record) for record in records]
        self._now = now
        self._arriving = [transition for transition in self.stored if transition.kind == "arriving"]
        self._leaving = [transition for transition in self.stored if transition.kind == "leaving"]
        present = {record.id for record in self._records}
        departed: set[str] = set()
        _settle(
            self._leaving, lambda transition: transition.records - present, now, frozenset.__sub__
        )
        _settle(
            self._arriving,
            lambda transition: self._equal(transition.connector) - transition.records,
            now,
            frozenset.__or__,
            lambda transition, record: departed.add(transition.others.get(record, "")),
        )
        self._departed = departed - {""}

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """What the records do not show yet, to be stored until the next use."""
        return (*self._arriving, *self._leaving)

    @property
    def may_change(self) -> bool:
        """Whether one of the records may be about to get another connector."""
        return any(transition.others for transition in self._arriving)

    def departed(self, initiators: Iterable[str]) -> tuple[str, ...]:
        """Return the initiators whose attachment was since given another connector.

        None of them has a further attachment.
        """
        return tuple(
            iqn
            for iqn in initiators
            if host_mark(iqn) in self._departed and not self._from(host_mark(iqn))
        )

    def arrive(self, connector: Connector, *, again: bool = False, instances: bool = False) -> None:
        """Count a host that is about to be granted access.

        One that is arriving already, while no further record waits for a connector, is a repeated
        request, and counts once.

        :param again: a previous client on the same host has exited without detaching.
        :param instances: the client has a record: it is not Cinder itself.
        """
        given = _mark_of(connector)
        equal = self._equal(given)
        pending = [transition for transition in self._arriving if transition.connector == given]
        waiting = sum(record.iqn is None for record in self._records)
        if again:
            self._arriving[:] = [
                transition for transition in self._arriving if transition not in pending
            ]
        elif pending and waiting <= len(pending):
            self._arriving.remove(pending[0])
            self._arriving.append(replace(pending[0], at=self._now))
            return
        elif instances and equal and not waiting:
            return
        # Cinder does not say which record it is for: it may be one that has a connector already.
        others = {r.id: r.iqn for r in self._records if r.iqn and r.connector != given}
        iqn = host_mark(str(connector["initiator"]))
        transition = Transition("arriving", iqn, given, self._now, frozenset(equal), others)
        self._arriving.append(transition)

    def leave(self, connector: Connector) -> Remaining:
        """Discount a host whose access is about to be revoked, and return what remains.

        A record is discounted only if it has the given connector. A client without a record, such
        as Cinder itself copying a volume to an image, releases no other attachment.
        """
        given, iqn = _mark_of(connector), host_mark(str(connector["initiator"]))
        equal = self._equal(given)
        own = next(
            (transition for transition in self._arriving if transition.connector == given), None
        )
        if len(equal) > sum(transition.connector == given for transition in self._leaving):
            self._leaving.append(Transition("leaving", iqn, given, self._now, frozenset(equal)))
        elif own is not None:
            self._arriving.remove(own)
        return Remaining(
            from_host=self._from(iqn),
            nobody=bool(equal) and len(self._records) == len(self._leaving) and not self._arriving,
        )

    def _equal(self, connector: str) -> set[str]:
        return {record.id for record in self._records if record.connector == connector}

    def _from(self, iqn: str) -> int:
        return (
            sum(record.iqn == iqn for record in self._records)
            - sum(transition.iqn == iqn for transition in self._leaving)
            + sum(transition.iqn in (iqn, UNKNOWN) for transition in self._arriving)
        )


@dataclass(frozen=True)
class _Seen:
    """A record, as hashes."""

    id: str
    iqn: str | None
    connector: str | None

    @classmethod
    def of(cls, record: Record) -> _Seen:
        connector = None if record.connector is None else _mark_of(record.connector)
        return cls(mark(record.id), host_mark(record.iqn) if record.iqn else None, connector)


def _settle(
    transitions: list[Transition],
    shown_by: Callable[[Transition], set[str] | frozenset[str]],
    now: float,
    seen: Callable[[frozenset[str], frozenset[str]], frozenset[str]],
    settled: Callable[[Transition, str], None] = lambda _transition, _record: None,
) -> None:
    """Drop transitions that records show by now, one record for each, and expired ones."""
    waiting, transitions[:] = list(transitions), []
    while waiting:
        transition = waiting.pop(0)
        shown = sorted(shown_by(transition))
        if shown:
            settled(transition, shown[0])
            one = frozenset(shown[:1])
            for others in (waiting, transitions):
                others[:] = [replace(it, records=seen(it.records, one)) for it in others]
        elif transition.at >= now - REMEMBERED:
            transitions.append(transition)


def _mark_of(connector: Connector) -> str:
    """Return a connector's hash; Cinder's database returns values as strings."""
    written = {key: None if value is None else str(value) for key, value in connector.items()}
    return mark(json.dumps(written, sort_keys=True))
