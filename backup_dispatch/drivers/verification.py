# SPDX-License-Identifier: Apache-2.0
"""The three ways to verify that a backup can still be restored.

A driver may verify it itself; what it reports is proven damage, an exception is not. Cinder's
chunked drivers store digests, but never check them: that is done here. With all others a backup
can only be restored, discarding the data. Then damage is proven only if the backend reports that
it has no data of the backup: a driver's error may also be an outage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from cinder import exception
from oslo_utils import units

from backup_dispatch.drivers.chunked_verification import ChunkedVerification
from backup_dispatch.drivers.custody import has_nothing
from backup_dispatch.drivers.deletion import require_kept
from backup_dispatch.drivers.families import is_chunked
from backup_dispatch.drivers.interface import Progress, SupportsVerify, SupportsVerifySample
from backup_dispatch.drivers.null_volume import NullVolume
from backup_dispatch.drivers.offers import offered
from backup_dispatch.drivers.readers.restoring import restore_elsewhere
from backup_dispatch.errors import SampleRefused, VerdictUnknown, reason_of

_BY_ITSELF = "by the driver itself"
_OBJECTS = "length and md5 of each object, sha256 of each block"
_RESTORED = "that a full restore, onto nothing, succeeds"
_COMPARED = "that a full restore gives what was backed up"

Content = Callable[[int, Any], bool]
"""Whether bytes are what belongs at an offset of the volume."""


class Verdict(Enum):
    """A verdict on a backup, with the word shown to operators."""

    SOUND = "sound"
    DAMAGED = "DAMAGED"
    """Data was read and is wrong, or is missing while the backend answers."""
    UNKNOWN = "not known"
    """Something could not be determined."""


@dataclass(frozen=True)
class SampleRequest:
    """The part of a backup to verify.

    :ivar share: above 0 and up to 1.
    :ivar seed: the same one selects the same part.
    """

    share: float
    seed: int


@dataclass
class Verified:
    """The result of a verification.

    :ivar method: what was checked, in words.
    :ivar damage: the proven damage, one line each.
    :ivar unknown: what could not be determined, and why, one line each.
    :ivar backups: how many backups of the chain were read.
    :ivar read: bytes of volumes that were read.
    :ivar drawn: the sample that was read, in words; empty if everything was.
    """

    method: str
    damage: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    backups: int = 0
    read: int = 0
    drawn: str = ""

    @property
    def needs_records(self) -> bool:
        """Whether the driver can read the backup only with the records of all its ancestors."""
        return self.method == _OBJECTS

    @property
    def finding(self) -> Verdict:
        """The verdict: proven damage counts, whatever else is unknown."""
        if self.damage:
            return Verdict.DAMAGED
        return Verdict.UNKNOWN if self.unknown else Verdict.SOUND


def verified(
    driver: Any,
    chain: Sequence[Any],
    progress: Progress,
    sample: SampleRequest | None = None,
    content: Content | None = None,
) -> Verified:
    """Verify a backup in the best way available for its driver.

    :param chain: the backup, followed by its ancestors, as far as there are records.
    :param progress: called with the bytes read so far and those to read in all.
    :param sample: the part to verify; None: all.
    :param content: compared with what a driver restores that keeps no digests; whoever has it.
    :raises SampleRefused: it cannot be read partially.
    """
    if content is not None and not keeps_digests(driver):
        found = _restored_onto_nothing(driver, chain, progress, sample, content)
    else:
        found = _way_of(driver, sample)(driver, chain, progress, sample)
    _note_deletion(found, chain)
    return found


def verified_alone(driver: Any, chain: Sequence[Any], progress: Progress) -> Verified:
    """Verify what one backup itself stores; only for drivers that :func:`stores_layers` is true of.

    :param chain: the backup; and its parent, which was verified with all that it builds on.
    """
    looked = ChunkedVerification(driver, list(chain), progress, trusted=len(chain) > 1)
    looked.run()
    found = Verified(_OBJECTS, looked.damage, looked.unknown, 1, looked.read)
    _note_deletion(found, chain)
    return found


def stores_layers(driver: Any) -> bool:
    """Whether a restore reads all objects of a backup and of all its ancestors.

    Then each of them has to be read only once to verify all backups of a chain.

    :param driver: a driver object or its class.
    """
    return is_chunked(driver) and offered(driver, SupportsVerify) is None


def _note_deletion(found: Verified, chain: Sequence[Any]) -> None:
    """Note that one of the backups is being deleted, or was: it may have been sound when read."""
    try:
        require_kept(chain)
    except VerdictUnknown as deleted:
        if deleted.full_text not in found.unknown:
            found.unknown.append(deleted.full_text)


def keeps_digests(driver: Any) -> bool:
    """Whether a backup can be compared with what was backed up, without having that."""
    return offered(driver, SupportsVerify) is not None or is_chunked(driver)


def can_sample(driver: Any) -> bool:
    """Whether a part of a backup can be verified."""
    return offered(driver, SupportsVerifySample) is not None or (
        is_chunked(driver) and offered(driver, SupportsVerify) is None
    )


def _way_of(driver: Any, sample: SampleRequest | None) -> Callable[..., Verified]:
    if sample is not None and offered(driver, SupportsVerifySample) is not None:
        return _sampled_by_itself
    if offered(driver, SupportsVerify) is not None:
        return _by_itself
    return _by_objects if is_chunked(driver) else _restored_onto_nothing


def _by_objects(
    driver: Any, chain: Sequence[Any], progress: Progress, sample: SampleRequest | None
) -> Verified:
    part = (sample.share, sample.seed) if sample else ()
    looked = ChunkedVerification(driver, list(chain), progress, *part)
    looked.run()
    words = f"{looked.drawn} of {looked.objects} objects, seed {sample.seed}" if sample else ""
    return Verified(_OBJECTS, looked.damage, looked.unknown, len(chain), looked.read, words)


def _sampled_by_itself(
    driver: Any, chain: Sequence[Any], progress: Progress, sample: SampleRequest
) -> Verified:
    found = Verified(_BY_ITSELF, backups=1)
    try:
        damage, drawn, of = driver.verify_sample(
            chain[0], progress, share=sample.share, seed=sample.seed
        )
        lines = [str(line) for line in damage]
    except Exception as error:
        found.unknown.append(_could_not(chain[0], error))
        return found
    _note(found, lines, chain)
    # It may have ended at the first damage. The driver reports its position in the volume, and only
    # the part up to it was read.
    found.drawn = f"{'up to ' if lines else ''}{drawn} of {of} blocks, seed {sample.seed}"
    return found


def _by_itself(
    driver: Any, chain: Sequence[Any], progress: Progress, sample: SampleRequest | None
) -> Verified:
    _refuse_sample(chain[0], sample)
    found = Verified(_BY_ITSELF, backups=1)

    def note(done: int, total: int) -> None:
        found.read = done
        progress(done, total)

    try:
        lines = [str(line) for line in driver.verify(chain[0], note)]
    except Exception as error:
        found.unknown.append(_could_not(chain[0], error))
    else:
        _note(found, lines, chain)
    return found


def _restored_onto_nothing(
    driver: Any,
    chain: Sequence[Any],
    progress: Progress,
    sample: SampleRequest | None,
    content: Content | None = None,
) -> Verified:
    _refuse_sample(chain[0], sample)
    found = Verified(_COMPARED if content else _RESTORED, backups=len(chain))
    backup = chain[0]
    compared = (content,) if content else ()
    sink = NullVolume(backup.size * units.Gi, progress, *compared)
    try:
        restore_elsewhere(driver, backup, sink)
    except exception.VolumeNotFound:
        found.unknown.append(
            f"whether backup {backup.id} can be read: its driver needs the record of volume "
            f"{backup.volume_id}, which is not in this database"
        )
    except exception.BackupRestoreCancel:
        found.unknown.append(
            f"whether backup {backup.id} can be read: its driver reads it only while its status in "
            "the database is restoring"
        )
    except Exception as error:
        if has_nothing(driver, chain[0]):
            _note(found, [f"backup {backup.id}: the backend has nothing of it"], chain)
        else:
            found.unknown.append(_could_not(backup, error))
    _note(
        found,
        [
            f"backup {backup.id}: bytes {offset} to {offset + length} are not what was backed up"
            for offset, length in sink.wrong
        ],
        chain,
    )
    found.read = sink.written
    return found


def _refuse_sample(backup: Any, sample: SampleRequest | None) -> None:
    if sample is not None:
        raise SampleRefused(
            f"Backup {backup.id} can only be read whole by its driver: leave out --sample."
        )


def _note(found: Verified, damage: list[str], chain: Sequence[Any]) -> None:
    """Note damage, unless the backup or an ancestor is being deleted, which looks the same."""
    try:
        if damage:
            require_kept(chain)
    except VerdictUnknown as deleted:
        found.unknown.append(deleted.full_text)
    else:
        found.damage += damage


def _could_not(backup: Any, error: Exception) -> str:
    return f"whether backup {backup.id} can be read to its end: {reason_of(error)}"
