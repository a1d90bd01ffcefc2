# SPDX-License-Identifier: Apache-2.0
"""The errors that the backup driver raises to Cinder.

Each class says what was found. All are subclasses of Cinder's own exceptions, so that a caller of
backup drivers knows them; their text is what a user reads in a backup's ``fail_reason`` (255
characters), so the important part comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from cinder import exception


class BackupFailed(exception.BackupDriverException):
    """Anything that kept a backup, a restore or a deletion from being done."""

    # The parent's template would spend 32 of 255 characters on "Backup driver reported an error".
    message = "%(reason)s"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class OptionsInvalid(exception.InvalidConfigurationValue):
    """A required option is missing, or options contradict each other."""

    message = "%(reason)s"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class OptionsMissing(OptionsInvalid):
    """Required options are not set."""

    def __init__(self, names: Sequence[str], section: str) -> None:
        super().__init__(
            f"The Datera backup driver needs {', '.join(names)} in section [{section}] of "
            f"cinder.conf. Set them."
        )


class ClusterFailed(BackupFailed):
    """The cluster failed a request, or could not be reached."""


class AttachFailed(BackupFailed):
    """A container's volume could not be attached to this host, or not be opened."""


class CleanUpIncomplete(BackupFailed):
    """The operation succeeded, but its clean-up did not; the text lists what failed."""

    def __init__(self, subject: str, failures: Sequence[tuple[str, Exception]]) -> None:
        super().__init__(
            f"{subject}: clean-up incomplete: "
            + "; ".join(f"could not {what}: {reason}" for what, reason in failures)
        )
        self.failures = tuple(failures)


class NotOurs(BackupFailed):
    """An app instance has a container's name, but nothing shows that this driver made it."""


class ContainerGone(BackupFailed):
    """The container that a record names is proven not to be on the cluster."""


class ContainerAbsenceUnproven(BackupFailed):
    """The cluster does not find a container, but nothing proves that it is gone."""


class ContainerBusy(BackupFailed):
    """Another operation uses the container and did not finish in time."""


class LockLost(BackupFailed):
    """This process no longer holds a lock that it had acquired."""


class BackupIncomplete(BackupFailed):
    """The container exists, but holds no committed backup for the record."""


class ContainerDamaged(BackupFailed):
    """What the container holds is not what was written to it."""


class ContainerUnreadable(ContainerDamaged):
    """Nothing can be found in the container: it was never formatted, or lost both superblocks."""


class SourceTooShort(BackupFailed):
    """The device to back up is smaller than the volume."""


class SourceTooLong(BackupFailed):
    """The device to back up is larger than the volume, and has data behind the volume's end."""


class HasIncrementals(BackupFailed):
    """An incremental backup needs the one that was to be deleted."""


class StillWanted(BackupFailed):
    """A container that was to be removed is, or may be, still needed."""


class VolumeTooLarge(BackupFailed):
    """The volume might not fit into a container of the maximum size."""


class ParentUnusable(exception.InvalidBackup):
    """The parent of an incremental backup cannot serve as one; a full backup can be taken."""
