# SPDX-License-Identifier: Apache-2.0
"""Mapping of the connection layer's errors to Cinder's exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cinder import exception

from datera_volume.connection import DateraError
from datera_volume.operations.lookup import SnapshotMissing, VolumeMissing
from datera_volume.policies import BadPolicy


@contextmanager
def cinder_errors(doing: str) -> Iterator[None]:
    """Raise Cinder's exception for any failure of the cluster or of the connection to it.

    Exceptions that Cinder handles specially (a busy volume, a busy snapshot) are raised where they
    are known to apply; errors of other families pass, so that a bug stays a bug.

    :param doing: the operation and its volume; the message begins with it.
    :raises VolumeNotFound: the volume is not on the cluster.
    :raises SnapshotNotFound: the snapshot is not.
    :raises VolumeBackendAPIException: the cluster failed, refused, or could not be reached.
    :raises InvalidVolumeType: the volume's type has an invalid spec.
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
