# SPDX-License-Identifier: Apache-2.0
"""The three ways to find out whether a backup can still be restored.

A driver may do it itself, by a method ``verify(backup, progress) -> Iterable[str]``. Cinder's
chunked drivers store digests, which they never look at: those are checked here. What remains can
only be restored, onto nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cinder import exception
from oslo_utils import units

from backup_dispatch.drivers.chunked_verification import ChunkedVerification
from backup_dispatch.drivers.custody import is_chunked
from backup_dispatch.drivers.null_volume import NullVolume
from backup_dispatch.errors import VerdictUnknown, reason_of

Progress = Callable[[int, int], None]

_BY_ITSELF = "by the driver itself"
_OBJECTS = "length and md5 of each object, sha256 of each block"


@dataclass(frozen=True)
class Sample:
    """What part of a backup to look at.

    :ivar share: above 0 and up to 1.
    :ivar seed: the same one draws the same part.
    """

    share: float
    seed: int


@dataclass(frozen=True)
class Verified:
    """What was found.

    :ivar method: what was checked, in words.
    :ivar damage: what is wrong, one line each; empty if all is well.
    :ivar backups: how many backups of the chain were read.
    :ivar read: bytes of volumes that were read.
    :ivar drawn: what of a sample was looked at, in words; empty if all was.
    """

    method: str
    damage: list[str]
    backups: int
    read: int
    drawn: str = ""


def verified(
    driver: Any, chain: list[Any], progress: Progress, sample: Sample | None = None
) -> Verified:
    """Verify a backup in the best way there is for its driver.

    :param chain: the backup, and after it what it builds on.
    :param progress: called with the bytes read so far and those to read in all.
    :param sample: what part of it; None: all.
    :raises VerdictUnknown: the backend does not answer: nothing is known about damage. Or it
        cannot be read in part.
    """
    if sample is not None:
        return _in_part(driver, chain, progress, sample)
    if hasattr(driver, "verify"):
        return _by_itself(driver, chain[0], progress)
    if is_chunked(driver):
        found = ChunkedVerification(driver, chain, progress)
        found.run()
        return Verified(_OBJECTS, found.damage, len(chain), found.read)
    return _restored_onto_nothing(driver, chain, progress)


def _in_part(driver: Any, chain: list[Any], progress: Progress, sample: Sample) -> Verified:
    if hasattr(driver, "verify_sample"):
        damage, drawn, of = driver.verify_sample(
            chain[0], progress, share=sample.share, seed=sample.seed
        )
        lines = [str(line) for line in damage]
        # It may have ended at the first damage.
        words = f"{'up to ' if lines else ''}{drawn} of {of} blocks, seed {sample.seed}"
        # The driver tells how far it is in the volume, and only that part of it was read.
        return Verified(_BY_ITSELF, lines, 1, 0, words)
    if hasattr(driver, "verify") or not is_chunked(driver):
        raise VerdictUnknown(
            f"Backup {chain[0].id} can only be read whole by its driver: leave out --sample."
        )
    found = ChunkedVerification(driver, chain, progress, sample.share, sample.seed)
    found.run()
    words = f"{found.drawn} of {found.objects} objects, seed {sample.seed}"
    return Verified(_OBJECTS, found.damage, len(chain), found.read, words)


def _by_itself(driver: Any, backup: Any, progress: Progress) -> Verified:
    read = 0

    def note(done: int, total: int) -> None:
        nonlocal read
        read = done
        progress(done, total)

    damage = [str(line) for line in driver.verify(backup, note)]
    return Verified(_BY_ITSELF, damage, 1, read)


def _restored_onto_nothing(driver: Any, chain: list[Any], progress: Progress) -> Verified:
    backup = chain[0]
    sink = NullVolume(backup.size * units.Gi, progress)
    # A restore gives the volume back the metadata that it had; here that must not happen.
    driver.put_metadata = lambda *_arguments: None
    # The volume may be deleted by now; drivers ask only for its name and size.
    driver.context = driver.context.elevated(read_deleted="yes")
    damage = []
    try:
        driver.restore(backup, backup.volume_id, sink, volume_is_new=False)
    except exception.VolumeNotFound:
        raise VerdictUnknown(
            f"Backup {backup.id} cannot be read: its driver needs the record of volume "
            f"{backup.volume_id}, which is not in this database."
        ) from None
    except Exception as error:
        damage.append(f"backup {backup.id} cannot be read to its end: {reason_of(error)}")
    method = "that a full restore, onto nothing, succeeds"
    return Verified(method, damage, len(chain), sink.written)
