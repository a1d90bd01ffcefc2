# SPDX-License-Identifier: Apache-2.0
"""The edge at which the connection layer's errors become Cinder's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cinder import exception

from datera_volume.connection import DateraError
from datera_volume.lookup import SnapshotMissing, VolumeMissing
from datera_volume.policies import BadPolicy


@contextmanager
def cinder_errors(doing: str) -> Iterator[None]:
    """Raise Cinder's exception for whatever the cluster, or the way to it, did wrong.

    What Cinder treats specially (a busy volume, a busy snapshot) is raised where it is known to be
    that; anything that is not ours passes, so that a bug stays a bug.

    :param doing: what was being done, to which volume; the exception's text begins with it.
    :raises VolumeNotFound: the volume is not on the cluster.
    :raises SnapshotNotFound: the snapshot is not.
    :raises VolumeBackendAPIException: the cluster failed, refused, or could not be reached.
    :raises InvalidVolumeType: the volume's type has a spec that cannot be read.
    """
    try:
        yield
    except BadPolicy as exc:
        raise exception.InvalidVolumeType(reason=f"{doing}: {exc}") from exc
    except VolumeMissing as exc:
        raise exception.VolumeNotFound(f"{doing}: {exc}") from exc
    except SnapshotMissing as exc:
        raise exception.SnapshotNotFound(f"{doing}: {exc}") from exc
    except DateraError as exc:
        raise exception.VolumeBackendAPIException(data=f"{doing}: {exc}") from exc
