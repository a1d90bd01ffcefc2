# SPDX-License-Identifier: Apache-2.0
"""Metadata records, each of which stands twice: read from wherever it is whole, and repaired."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from datera_backup.container import notices
from datera_backup.container.device import Device, read
from datera_backup.container.errors import Absent, LayoutDamaged
from datera_backup.container.format.geometry import RECORD_HEADER_SIZE
from datera_backup.container.format.record import (
    RecordRef,
    checksum_of,
    decode_header,
    is_whole,
    payload_of,
    places,
)

Expected = tuple[bytes, int, int]
"""The kind, the level and the number that a record must have."""


class Copies:
    """The metadata records on one container's device; many threads may read at once."""

    def __init__(self, device: Device, container_id: UUID) -> None:
        self._device = device
        self._container_id = container_id
        self._faulty: dict[int, RecordRef] = {}
        self.thorough = False
        """Whether readers look at a record's copy too where the record itself is whole."""

    @property
    def faulty(self) -> tuple[int, ...]:
        """Where readers met a record that is not whole, while its other copy is."""
        return tuple(sorted(self._faulty))

    def forget_faulty(self) -> None:
        """Repair nothing that was met so far: its place may be another record's by now."""
        self._faulty.clear()

    def read(
        self,
        ref: RecordRef,
        expected: Expected,
        most: int,
        damaged: Callable[[str], LayoutDamaged],
    ) -> bytes:
        """Return the plain payload of a record that another one refers to.

        :param most: bytes that it can have at most.
        :param damaged: makes the error from a reason, where neither copy is whole.
        """
        try:
            return payload_of(self._whole(ref, expected, most), most)
        except LayoutDamaged as exc:
            error = damaged(str(exc))
            error.finding = exc.finding
            raise error from exc
        except ValueError as exc:
            raise damaged(str(exc)) from exc

    def repair(self) -> None:
        """Write again what readers met damaged, from the other copy.

        :raises OSError: the device reports an error.
        """
        for place in self.faulty:
            ref = self._faulty.pop(place)
            (other,) = (each for each in places(ref.offset) if each != place)
            try:
                raw = self._read(ref, other)
            except LayoutDamaged as exc:
                notices.tell(f"Byte {place} of container {self._container_id}: {exc}")
                continue
            self._device.pwrite(place, raw)
            self._device.flush()
            notices.tell(
                f"The metadata at byte {place} of container {self._container_id} was repaired from "
                "its copy."
            )

    def _whole(self, ref: RecordRef, expected: Expected, most: int) -> bytes:
        if not RECORD_HEADER_SIZE <= ref.length <= RECORD_HEADER_SIZE + most:
            raise LayoutDamaged(f"its length is said to be {ref.length} bytes")
        failures: dict[int, LayoutDamaged] = {}
        raw = None
        for place in places(ref.offset):
            try:
                raw = self._read(ref, place)
            except LayoutDamaged as exc:
                failures[place] = exc
                continue
            if not self.thorough:
                break
        if raw is not None:
            header = decode_header(raw)
            if (header.kind, header.level, header.number) != expected or (
                header.owner.container_id != self._container_id
            ):
                raise LayoutDamaged("another record lies there")
            self._note(failures, ref)
            return raw
        first = next(iter(failures.values()))
        story = "; ".join(f"at byte {place} {exc}" for place, exc in failures.items())
        error = LayoutDamaged(story)
        error.finding = first.finding
        raise error from first

    def _note(self, failures: dict[int, LayoutDamaged], ref: RecordRef) -> None:
        for place, failure in failures.items():
            if place not in self._faulty:
                self._faulty[place] = ref
                notices.tell(
                    f"The metadata at byte {place} of container {self._container_id} is "
                    f"{failure.finding.value}, its copy serves: {failure}"
                )

    def _read(self, ref: RecordRef, place: int) -> bytes:
        """Return what lies in one of the two places, if it is the record that is meant."""
        raw = read(self._device, place, ref.length)
        if not _is(raw, ref):
            # It may be what this host had cached before another one wrote there.
            self._device.forget(place, ref.length)
            raw = read(self._device, place, ref.length)
        if _is(raw, ref):
            return raw
        if not any(raw):
            raise Absent("there are zeros")
        raise LayoutDamaged("the checksum is another one")


def _is(raw: bytes, ref: RecordRef) -> bool:
    return checksum_of(raw) == ref.checksum and is_whole(raw, raw[RECORD_HEADER_SIZE:])
