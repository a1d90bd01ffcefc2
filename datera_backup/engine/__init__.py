# SPDX-License-Identifier: Apache-2.0
"""Moving bytes between a volume and containers: a bounded pipeline of native threads."""

from datera_backup.engine.backup import BackupJob
from datera_backup.engine.errors import (
    EngineError,
    JobCancelled,
    SinkNotDurable,
    SinkTooSmall,
    SinkUnwritable,
    SourceTruncated,
    SourceUnreadable,
    VolumeFailed,
)
from datera_backup.engine.job import Job, Progress
from datera_backup.engine.restore import Damage, RestoreJob, RestoreReport, VerifyJob
from datera_backup.engine.settings import Settings
from datera_backup.engine.sink import FileSink, ObjectSink, Sink, open_sink
from datera_backup.engine.source import FileSource, ObjectSource, Source, open_source
from datera_backup.engine.surplus import SurplusJob

__all__ = [
    "BackupJob",
    "Damage",
    "EngineError",
    "FileSink",
    "FileSource",
    "Job",
    "JobCancelled",
    "ObjectSink",
    "ObjectSource",
    "Progress",
    "RestoreJob",
    "RestoreReport",
    "Settings",
    "Sink",
    "SinkNotDurable",
    "SinkTooSmall",
    "SinkUnwritable",
    "Source",
    "SourceTruncated",
    "SourceUnreadable",
    "SurplusJob",
    "VerifyJob",
    "VolumeFailed",
    "open_sink",
    "open_source",
]
