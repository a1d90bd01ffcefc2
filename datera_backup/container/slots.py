# SPDX-License-Identifier: Apache-2.0
"""The two places of the superblock: one is always whole, whenever the power goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from datera_backup.container import superblock
from datera_backup.container.device import Device, read
from datera_backup.container.errors import (
    AlreadyAContainer,
    ContainerChanged,
    ContainerFull,
    ContainerTooNew,
    LayoutDamaged,
    NotAContainer,
)
from datera_backup.container.geometry import LOG_START, SLOT_SIZE, padded
from datera_backup.container.superblock import Entry, Superblock

_SLOTS = 2
_ATTEMPTS = 3


class Slots:
    """The superblock of one device.

    Generation ``g`` lies in slot ``g % 2``. Every change is written twice, as two generations one
    after the other, each flushed: so the loss of either slot loses nothing.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self.damaged: tuple[int, ...] = ()

    def refuse_remains(self) -> None:
        """Check that the device can be formatted.

        :raises AlreadyAContainer: a slot holds a superblock, or one that is damaged.
        :raises ContainerFull: the device has no room for the two slots.
        """
        if self._device.size < LOG_START:
            raise ContainerFull("An empty container", LOG_START, self._device.size)
        self._device.forget(0, LOG_START)
        for number in range(_SLOTS):
            magic = bytes(read(self._device, number * SLOT_SIZE, len(superblock.MAGIC)))
            if magic == superblock.MAGIC:
                raise AlreadyAContainer(
                    f"The device holds a container already (superblock {number})."
                )

    def load(self) -> Superblock:
        """Return the newest superblock that is whole, past what this host has cached.

        :raises NotAContainer: neither slot was ever written.
        :raises LayoutDamaged: neither slot is whole.
        :raises ContainerTooNew: a later version wrote the newest.
        """
        if self._device.size < LOG_START:
            raise NotAContainer(
                f"The device has {self._device.size} bytes, less than an empty container."
            )
        written = False
        # Somebody who appends meanwhile is never in both slots at once, but may be in the first
        # when that one is read and in the second by then.
        for _ in range(_ATTEMPTS):
            self._device.forget(0, LOG_START)
            found = [self._read(number) for number in range(_SLOTS)]
            whole = [block for _, block in found if block is not None]
            self.damaged = tuple(n for n, (_, block) in enumerate(found) if block is None)
            if whole:
                return max(whole, key=lambda block: block.generation)
            written = written or any(magic for magic, _ in found)
        if written:
            raise LayoutDamaged("Neither superblock of the container is whole.")
        raise NotAContainer("The device was never formatted as a container.")

    def both(self) -> tuple[Superblock | None, ...]:
        """Return what each slot holds now; None where it is not whole.

        :raises ContainerTooNew: a later version wrote one.
        :raises LayoutDamaged: the device ends before the slots do.
        """
        self._device.forget(0, LOG_START)
        return tuple(self._read(number)[1] for number in range(_SLOTS))

    def _read(self, number: int) -> tuple[bool, Superblock | None]:
        """Return whether a slot begins like a superblock, and the superblock if it is whole."""
        offset = number * SLOT_SIZE
        head = bytes(read(self._device, offset, superblock.HEAD_SIZE))
        length = superblock.length_of(head)
        if not length:
            return head.startswith(superblock.MAGIC), None
        try:
            return True, superblock.decode(bytes(read(self._device, offset, length)))
        except ContainerTooNew:
            raise
        except ValueError:  # a state that this version does not know, under a right checksum
            return True, None

    def store(self, old: Superblock, entries: tuple[Entry, ...], now: datetime) -> Superblock:
        """Replace the superblock, durably, and return the new one.

        :raises ContainerFull: there are more entries than a slot takes.
        :raises ContainerChanged: the device has something else afterwards.
        """
        written: dict[int, bytes] = {}
        new = replace(old, entries=entries, written=now, device_size=self._device.size)
        for _ in range(_SLOTS):
            new = replace(new, generation=new.generation + 1)
            raw = superblock.encode(new)
            raw += bytes(padded(len(raw)) - len(raw))
            offset = (new.generation % _SLOTS) * SLOT_SIZE
            self._device.pwrite(offset, raw)
            self._device.flush()
            written[offset] = raw
        self._device.forget(0, LOG_START)
        for offset, raw in written.items():
            if read(self._device, offset, len(raw)) != raw:
                raise ContainerChanged(
                    f"The superblock of container {new.container_id} is not what was just written "
                    f"(generation {new.generation}): somebody else writes to it."
                )
        self.damaged = ()
        return new
