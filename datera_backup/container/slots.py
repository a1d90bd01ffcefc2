# SPDX-License-Identifier: Apache-2.0
"""The two slots of the superblock: one is intact at any time, also after a power cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from datera_backup.container import notices
from datera_backup.container.device import Device, read
from datera_backup.container.errors import (
    AlreadyAContainer,
    BytesUnreadable,
    ContainerChanged,
    ContainerFull,
    DamageKind,
    LayoutDamaged,
    NotAContainer,
)
from datera_backup.container.format import superblock
from datera_backup.container.format.geometry import LOG_START, SLOT_DISTANCE, padded
from datera_backup.container.format.superblock import Superblock

_SLOTS = 2
_ATTEMPTS = 3


@dataclass(frozen=True)
class Slot:
    """The contents of one slot.

    :ivar block: the superblock; None where it is not whole.
    :ivar finding: what is wrong then.
    """

    block: Superblock | None
    finding: DamageKind | None = None


class Slots:
    """The superblock of one device.

    A slot that is whole counts as damaged even so where its superblock belongs elsewhere: into the
    other slot, or into another container.

    Generation ``g`` lies in slot ``g % 2``. Every change is written twice, as two generations one
    after the other, each flushed: so the loss of either slot loses nothing.

    :ivar damaged: slots that are not whole.
    :ivar may_be_stale: whether the device may have lost a newer superblock than the one in use: a
        slot is damaged, or the two are not of successive generations, as each change leaves them.
    """

    def __init__(self, device: Device, container_id: UUID | None = None) -> None:
        """Read nothing yet.

        :param container_id: whose superblock it should be; None is whosever both slots are.
        """
        self._device = device
        self._container_id = container_id
        self._known: dict[bytes, Superblock] = {}
        self.damaged: tuple[int, ...] = ()
        self.may_be_stale = False

    def refuse_remains(self) -> None:
        """Check that the device can be formatted.

        :raises AlreadyAContainer: a slot holds a superblock, or one that is damaged.
        :raises ContainerFull: the device has no room for the two slots.
        :raises BytesUnreadable: what is in a slot cannot be read.
        """
        if self._device.size < LOG_START:
            raise ContainerFull("An empty container", LOG_START, self._device.size)
        self._device.forget(0, LOG_START)
        for number in range(_SLOTS):
            magic = read(self._device, number * SLOT_DISTANCE, len(superblock.MAGIC))
            if magic == superblock.MAGIC:
                raise AlreadyAContainer(
                    f"The device holds a container already (superblock {number})."
                )

    def load(self) -> Superblock:
        """Return the newest intact superblock, bypassing the page cache.

        :raises NotAContainer: neither slot was ever written.
        :raises BytesUnreadable: neither slot is whole, and one cannot be read.
        :raises LayoutDamaged: neither slot is whole, or they are of two containers.
        :raises ContainerTooNew: another version wrote the newest.
        """
        if self._device.size < LOG_START:
            raise NotAContainer(
                f"The device has {self._device.size} bytes, less than an empty container."
            )
        written = False
        # Somebody who appends meanwhile is never in both slots at once, but may be in the first
        # when that one is read and in the second by then.
        for _ in range(_ATTEMPTS):
            slots = self.both()
            whole = self._own(slots)
            damaged = tuple(n for n, slot in enumerate(slots) if slot.block not in whole)
            if whole:
                self._tell(slots, damaged)
                self.damaged = damaged
                generations = {block.generation for block in whole}
                self.may_be_stale = max(generations) - min(generations) != 1
                newest = max(whole, key=lambda block: block.generation)
                self._container_id = self._container_id or newest.container_id
                return newest
            self.damaged = damaged
            written = written or any(slot.finding is not DamageKind.ABSENT for slot in slots)
        if any(slot.finding is DamageKind.UNREADABLE for slot in slots):
            raise BytesUnreadable(
                "Neither superblock of the container can be used: "
                + ", ".join(
                    f"number {n} is {slot.finding.value}"
                    for n, slot in enumerate(slots)
                    if slot.finding is not None
                )
                + "."
            )
        if written:
            raise LayoutDamaged("Neither superblock of the container is whole.")
        raise NotAContainer("The device was never formatted as a container.")

    def _own(self, slots: Iterable[Slot]) -> list[Superblock]:
        """Return the superblocks of the container that it should be, or of the one that it is.

        :raises LayoutDamaged: they are of two, and neither was asked for.
        """
        whole = [slot.block for slot in slots if slot.block is not None]
        found = sorted({block.container_id for block in whole})
        if len(found) == 1 or not whole:
            return whole
        own = [block for block in whole if block.container_id == self._container_id]
        if not own and self._container_id is None:
            raise LayoutDamaged(
                "The superblocks of the container are of two: " + " and ".join(map(str, found))
            )
        return own or whole

    def both(self) -> tuple[Slot, ...]:
        """Return what each slot holds now.

        :raises ContainerTooNew: another version wrote one.
        """
        self._device.forget(0, LOG_START)
        return tuple(self._read(number) for number in range(_SLOTS))

    def store(self, old: Superblock, new: Superblock, now: datetime) -> Superblock:
        """Replace the superblock, durably, and return it as it was written last.

        A slot that the device cannot read back is ignored, as long as the other one is right.

        :param old: what the slots hold now.
        :raises ContainerFull: there are more entries than a slot takes.
        :raises ContainerChanged: the device has something else afterwards.
        :raises OSError: the device took neither.
        """
        self._container_id = new.container_id
        written: dict[int, bytes] = {}
        failures: list[OSError] = []
        failed: int | None = None
        new = replace(new, generation=old.generation, written=now, device_size=self._device.size)
        for _ in range(_SLOTS):
            new = replace(new, generation=new.generation + 1)
            raw = superblock.encode(new)
            self._know(raw, new)
            raw += bytes(padded(len(raw)) - len(raw))
            number = new.generation % _SLOTS
            try:
                self._device.pwrite(number * SLOT_DISTANCE, raw)
                self._device.flush()
            except OSError as exc:
                # The first of the two goes where nothing that counts lies.
                failures.append(exc)
                if len(failures) == _SLOTS or not self._survives(number):
                    raise
                failed = number
            written[number] = raw
        self.damaged = self._read_back(new, written, failed)
        if len(self.damaged) == _SLOTS:
            raise (
                failures[0] if failures else BytesUnreadable("Neither superblock can be read back.")
            )
        return new

    def _survives(self, number: int) -> bool:
        """Whether the other slot is intact, though this one could not be written."""
        return self._read(1 - number).block is not None

    def _read_back(
        self, new: Superblock, written: dict[int, bytes], failed: int | None
    ) -> tuple[int, ...]:
        self._device.forget(0, LOG_START)
        unreadable = []
        for number, raw in written.items():
            try:
                found = read(self._device, number * SLOT_DISTANCE, len(raw))
            except BytesUnreadable as exc:
                notices.tell(f"Superblock {number} of container {new.container_id}: {exc}")
                unreadable.append(number)
                continue
            if found == raw:
                continue
            if number == failed:
                unreadable.append(number)
            else:
                raise ContainerChanged(
                    f"The superblock of container {new.container_id} is not what was just written "
                    f"(generation {new.generation}): another process writes to it."
                )
        return tuple(sorted(unreadable))

    def _read(self, number: int) -> Slot:
        offset = number * SLOT_DISTANCE
        try:
            # As much as one has by all that is known, so that one request is enough.
            most = max(map(len, self._known), default=superblock.HEAD_SIZE)
            raw = read(self._device, offset, padded(most))
            length = superblock.length_of(raw)
            if not length:
                absent = not raw.startswith(superblock.MAGIC)
                return Slot(None, DamageKind.ABSENT if absent else DamageKind.DAMAGED)
            if length > len(raw):
                raw += read(self._device, offset + len(raw), length - len(raw))
            raw = raw[:length]
            block = self._known.get(raw) or superblock.decode(raw)
        except LayoutDamaged as exc:
            return Slot(None, exc.finding)
        except ValueError:  # what this version does not know, under a right checksum
            return Slot(None, DamageKind.DAMAGED)
        if block is None or block.generation % _SLOTS != number:
            return Slot(None, DamageKind.DAMAGED)
        self._know(raw, block)
        return Slot(block)

    def _know(self, raw: bytes, block: Superblock) -> None:
        """Cache a slot's contents: decoding thousands of entries again takes time."""
        self._known[raw] = block
        while len(self._known) > _SLOTS:
            del self._known[next(iter(self._known))]

    def _tell(self, slots: tuple[Slot, ...], damaged: tuple[int, ...]) -> None:
        for number in set(damaged).difference(self.damaged):
            finding = slots[number].finding or DamageKind.DAMAGED
            notices.tell(
                f"Superblock {number} of the container is {finding.value}; the other one is used."
            )
