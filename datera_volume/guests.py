# SPDX-License-Identifier: Apache-2.0
"""Which attachments of a volume hold a host: Cinder's records, and what they do not show yet.

A record gets its connector only after the driver has let the host in, and goes only after the
driver has been told that the host leaves; what Cinder attaches for itself has no record at all.
What lies in between is remembered here, in this process only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

# Seconds after which a record is no longer expected to come, or to go: between the driver's answer
# and Cinder's database there are moments, even while the database is being switched over.
REMEMBERED = 120.0

Connector = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """One of Cinder's attachments; without a connector it has no host yet."""

    id: str
    connector: Connector | None

    @property
    def iqn(self) -> str | None:
        """The initiator that it is from."""
        return (self.connector or {}).get("initiator")


@dataclass(frozen=True)
class Staying:
    """Who remains when a host says that it leaves.

    :param from_host: how many attachments from the same initiator.
    :param nobody: it was the last of the volume's records, and nothing else is known of.
    """

    from_host: int
    nobody: bool


@dataclass(eq=False)
class _Move:
    """A host that was let in, or is leaving, and what its record will be seen by.

    :param records: on arrival the records that were there before, its own not being one of them; on
        departure those of which its own is one.
    """

    iqn: str
    connector: dict[str, str | None]
    at: float
    records: set[str]


@dataclass
class _Moves:
    arriving: list[_Move] = field(default_factory=list)
    leaving: list[_Move] = field(default_factory=list)


class Guests:
    """What is on its way into Cinder's records and out of them, for all volumes of a driver.

    Every call is made while the volume's attachments are locked.

    :param clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._moves: dict[str, _Moves] = {}

    @contextmanager
    def arriving(
        self,
        volume_id: str,
        connector: Connector,
        records: Sequence[Record],
        *,
        again: bool = False,
    ) -> Iterator[None]:
        """Let somebody in inside; he counts from then on, unless that fails.

        :param again: if he came from there before, he has died since, without leaving.
        """
        with self._of(volume_id, records) as moves:
            if again:
                given = _written(connector)
                moves.arriving[:] = [one for one in moves.arriving if one.connector != given]
            move = self._move(connector, _equal(records, connector))
            moves.arriving.append(move)
        try:
            yield
        except BaseException:
            self._forget(volume_id, move)
            raise

    @contextmanager
    def leaving(
        self, volume_id: str, connector: Connector, records: Sequence[Record]
    ) -> Iterator[Staying]:
        """Shut somebody out inside, if nobody else needs the host; if that fails he has not left.

        One of the records leaves only if its connector is the given one. Whoever has none, such as
        Cinder itself copying a volume to an image, takes nobody with him.
        """
        iqn = str(connector["initiator"])
        move: _Move | None = None
        with self._of(volume_id, records) as moves:
            equal = _equal(records, connector)
            given = _written(connector)
            already = sum(m.connector == given for m in moves.leaving)
            own = next((m for m in moves.arriving if m.connector == given), None)
            if len(equal) > already:
                move = self._move(connector, equal)
                moves.leaving.append(move)
            elif own is not None:
                moves.arriving.remove(own)
            staying = Staying(
                from_host=sum(r.iqn == iqn for r in records)
                - sum(m.iqn == iqn for m in moves.leaving)
                + sum(m.iqn == iqn for m in moves.arriving),
                nobody=bool(equal) and len(records) == len(moves.leaving) and not moves.arriving,
            )
        try:
            yield staying
        except BaseException:
            if move is not None:
                self._forget(volume_id, move)
            elif own is not None:
                with self._lock:
                    self._moves.setdefault(volume_id, _Moves()).arriving.append(own)
            raise

    def everybody_left(self, volume_id: str) -> None:
        """Forget what was on its way."""
        with self._lock:
            self._moves.pop(volume_id, None)

    def _move(self, connector: Connector, records: set[str]) -> _Move:
        return _Move(str(connector["initiator"]), _written(connector), self._clock(), records)

    @contextmanager
    def _of(self, volume_id: str, records: Sequence[Record]) -> Iterator[_Moves]:
        with self._lock:
            moves = self._moves.setdefault(volume_id, _Moves())
            oldest = self._clock() - REMEMBERED
            present = {record.id for record in records}
            _settle(moves.leaving, lambda move: move.records - present, oldest)
            _settle(
                moves.arriving,
                lambda move: _equal(records, move.connector) - move.records,
                oldest,
                seen=set.add,
            )
            yield moves
            if not moves.arriving and not moves.leaving:
                del self._moves[volume_id]

    def _forget(self, volume_id: str, move: _Move) -> None:
        with self._lock:
            moves = self._moves.get(volume_id, _Moves())
            for kind in (moves.arriving, moves.leaving):
                if move in kind:
                    kind.remove(move)


def _settle(
    moves: list[_Move],
    shown_by: Callable[[_Move], set[str]],
    oldest: float,
    seen: Callable[[set[str], str], None] = set.discard,
) -> None:
    """Drop the moves that the records show by now, one record for one move, and the old ones."""
    for move in list(moves):
        shown = shown_by(move)
        if shown:
            moves.remove(move)
            for other in moves:
                seen(other.records, min(shown))
        elif move.at < oldest:
            moves.remove(move)


def _equal(records: Sequence[Record], connector: Connector) -> set[str]:
    given = _written(connector)
    return {r.id for r in records if r.connector is not None and _written(r.connector) == given}


def _written(connector: Connector) -> dict[str, str | None]:
    """Return a connector as Cinder's database gives it back: with texts as values."""
    return {key: None if value is None else str(value) for key, value in connector.items()}
