# SPDX-License-Identifier: Apache-2.0
"""Metadata records, each stored twice: read from an intact copy, and repaired."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from datera_backup.container import notices
from datera_backup.container.device import Device, read
from datera_backup.container.errors import BytesAbsent, LayoutDamaged
from datera_backup.container.format.geometry import RECORD_HEADER_SIZE
from datera_backup.container.format.log_record import (
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
        """Whether readers check a record's copy too if the record itself is intact."""

    @property
    def faulty(self) -> tuple[int, ...]:
        """Where readers found a damaged record with an intact copy."""
        return tuple(sorted(self._faulty))

    def forget_faulty(self) -> None:
        """Forget all findings: their places may belong to other records by now."""
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
        """Repair what readers found damaged, from the other copy.

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
            raise LayoutDamaged(f"its length is claimed to be {ref.length} bytes")
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
                raise LayoutDamaged("another record is there")
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
                    f"{failure.finding.value}, its copy is used: {failure}"
                )

    def _read(self, ref: RecordRef, place: int) -> bytes:
        """Return the contents of one of the two places, if it is the expected record."""
        raw = read(self._device, place, ref.length)
        if not _is(raw, ref):
            # It may be what this host had cached before another one wrote there.
            self._device.forget(place, ref.length)
            raw = read(self._device, place, ref.length)
        if _is(raw, ref):
            return raw
        if not any(raw):
            raise BytesAbsent("there are zeros")
        raise LayoutDamaged("the checksum does not match")


def _is(raw: bytes, ref: RecordRef) -> bool:
    return checksum_of(raw) == ref.checksum and is_whole(raw, raw[RECORD_HEADER_SIZE:])
