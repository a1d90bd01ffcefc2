# SPDX-License-Identifier: Apache-2.0
"""Decompressing a stored block and verifying its digest."""

from __future__ import annotations

from datera_backup.container import BlockDamaged, Commit, DamageKind, LayoutDamaged
from datera_backup.container.device import Buffer
from datera_backup.container.format.codec import Decompressor, Undecodable
from datera_backup.container.format.geometry import digest_function
from datera_backup.engine.plan import Run


class Verifier:
    """Verifies a backup's blocks; each thread needs its own."""

    def __init__(self, commit: Commit) -> None:
        """Prepare.

        :raises PackageMissing: the backup's digest needs a package that is not installed.
        """
        self._commit = commit
        self._geometry = geometry = commit.geometry
        self._block_size = geometry.block_size
        self._blocks_per_chunk = geometry.blocks_per_chunk
        self._whole_blocks = commit.source_size // geometry.block_size
        self._digest_of = digest_function(commit.geometry.digest)
        self._decompress = Decompressor().decompress

    def block_number(self, run: Run, place: int) -> int:
        """Return a block's number, counted from the start of the source."""
        return run.chunk.number * self._blocks_per_chunk + place

    def plain(self, run: Run, place: int, at: int, stored: memoryview) -> Buffer:
        """Return a block's bytes, its length and digest verified.

        :param at: where in the run its stored bytes begin.
        :raises BlockDamaged: they are not those that were backed up.
        :raises ContainerTooNew: this version does not know how they are stored.
        :raises PackageMissing: how they are stored needs a package that is not installed.
        """
        chunk, length = run.chunk, self._block_size
        block = chunk.number * self._blocks_per_chunk + place
        if block >= self._whole_blocks:
            length = self._geometry.length_of(self._commit.source_size, block)
        try:
            plain = self._decompress(chunk.codecs[place], stored, length)
        except Undecodable as exc:
            finding = DamageKind.DAMAGED if any(stored) else DamageKind.ABSENT
            raise self.damaged(run, place, at, finding, f"it does not decode: {exc}") from exc
        if self._digest_of(plain) != chunk.digest(place):
            finding = DamageKind.DAMAGED if any(stored) else DamageKind.ABSENT
            what = "its bytes have changed" if finding is DamageKind.DAMAGED else "there are zeros"
            raise self.damaged(run, place, at, finding, what)
        return plain

    def unread(self, run: Run, place: int, at: int, error: LayoutDamaged) -> BlockDamaged:
        """Return the error that names a block which cannot be read, and why."""
        return self.damaged(run, place, at, error.finding, str(error).rstrip("."))

    def damaged(
        self, run: Run, place: int, at: int, finding: DamageKind, reason: str
    ) -> BlockDamaged:
        """Return the error that names a block.

        :param at: where in the run its stored bytes begin.
        """
        block = self.block_number(run, place)
        return BlockDamaged(
            backup_id=self._commit.backup_id,
            container_id=run.container,
            block=block,
            source_offset=block * self._geometry.block_size,
            device_offset=run.offset + at,
            length=run.chunk.length(place),
            finding=finding,
            reason=reason,
        )
