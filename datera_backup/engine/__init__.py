# SPDX-License-Identifier: Apache-2.0
"""Moving bytes between a volume and containers: a bounded pipeline of native threads."""

from datera_backup.engine.backup import BackupJob
from datera_backup.engine.errors import (
    ContainerSilent,
    EngineError,
    JobCancelled,
    SinkNotDurable,
    SinkTooSmall,
    SinkUnwritable,
    SourceTruncated,
    SourceUnreadable,
    VolumeFailed,
)
from datera_backup.engine.opening import open_sink, open_source
from datera_backup.engine.pipeline.job import Job, Progress
from datera_backup.engine.pipeline.timings import Timings
from datera_backup.engine.random_access import RandomAccess
from datera_backup.engine.rbd import RbdSink, RbdSource
from datera_backup.engine.restore import Damage, RestoreJob, RestoreReport, VerifyJob
from datera_backup.engine.settings import EngineSettings
from datera_backup.engine.sink import FileSink, ObjectSink, Sink
from datera_backup.engine.source import FileSource, ObjectSource, Source, past_the_cache
from datera_backup.engine.surplus import SurplusJob

__all__ = [
    "BackupJob",
    "ContainerSilent",
    "Damage",
    "EngineError",
    "EngineSettings",
    "FileSink",
    "FileSource",
    "Job",
    "JobCancelled",
    "ObjectSink",
    "ObjectSource",
    "Progress",
    "RandomAccess",
    "RbdSink",
    "RbdSource",
    "RestoreJob",
    "RestoreReport",
    "Sink",
    "SinkNotDurable",
    "SinkTooSmall",
    "SinkUnwritable",
    "Source",
    "SourceTruncated",
    "SourceUnreadable",
    "SurplusJob",
    "Timings",
    "VerifyJob",
    "VolumeFailed",
    "open_sink",
    "open_source",
    "past_the_cache",
]
