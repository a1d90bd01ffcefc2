# SPDX-License-Identifier: Apache-2.0
"""What the backup driver tells Cinder when something is wrong.

Each class says what was found. All are Cinder's own kinds, so that whoever calls a backup driver
knows them; their text is what a user reads in a backup's ``fail_reason`` (255 characters), so the
important part comes first.
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
    """The cluster, or the way to it, did not do what the driver asked for."""


class AttachFailed(BackupFailed):
    """A container's volume could not be attached to this host, or not be opened."""


class CleanUpIncomplete(BackupFailed):
    """What was done is done, but something of it was left behind; the text lists what."""

    def __init__(self, subject: str, failures: Sequence[tuple[str, Exception]]) -> None:
        super().__init__(
            f"{subject} left something behind: "
            + "; ".join(f"could not {what}: {reason}" for what, reason in failures)
        )
        self.failures = tuple(failures)


class NotOurs(BackupFailed):
    """An app instance has a container's name, but nothing shows that this driver made it."""


class ContainerGone(BackupFailed):
    """The container that a record names is proven not to be on the cluster."""


class AbsenceUnproven(BackupFailed):
    """The cluster does not find a container, but nothing proves that it is gone."""


class ContainerBusy(BackupFailed):
    """Somebody else writes to the container, and did not finish in time."""


class LockLost(BackupFailed):
    """A lock that this process had taken is no longer its own."""


class BackupIncomplete(BackupFailed):
    """The container is there, but holds no finished backup for the record."""


class ContainerDamaged(BackupFailed):
    """What the container holds is not what was written to it."""


class ContainerUnreadable(ContainerDamaged):
    """Nothing can be found in the container: it was never formatted, or lost both superblocks."""


class SourceTooShort(BackupFailed):
    """What is to be backed up ends before the volume does."""


class SourceTooLong(BackupFailed):
    """What is to be backed up goes on behind the volume's end, and holds something there."""


class StillAParent(BackupFailed):
    """An incremental backup needs the one that was to be deleted."""


class StillWanted(BackupFailed):
    """A container that was to be removed is, or may be, needed by somebody."""


class VolumeTooLarge(BackupFailed):
    """The volume might not fit into a container, however large that may grow."""


class ParentUnusable(exception.InvalidBackup):
    """The parent of an incremental backup cannot serve as one; a full backup can be taken."""
