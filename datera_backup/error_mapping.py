# SPDX-License-Identifier: Apache-2.0
"""Maps errors of the layers below to the driver's, in one place.

What is not listed passes through as it is, so that a bug stays a bug.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tooz import ToozError

from datera_backup import container as layout
from datera_backup import engine, errors
from datera_volume.connection import DateraError

ABSENT = (layout.BackupUncommitted, layout.BackupNotInContainer)
DAMAGED = (
    layout.LayoutDamaged,
    layout.ContainerMissing,
    layout.NotAContainer,
    layout.WrongContainer,
)


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """Turn what the block raises into the driver's errors.

    :param subject: what it was about; the text begins with it where it does not say so itself.
    """
    try:
        yield
    except DateraError as failure:
        raise errors.ClusterFailed(f"{subject}: {failure}") from failure
    except ABSENT as failure:
        raise errors.BackupIncomplete(_text(subject, failure)) from failure
    except DAMAGED as failure:
        raise errors.ContainerDamaged(_text(subject, failure)) from failure
    except (layout.ContainerError, engine.EngineError) as failure:
        raise errors.BackupFailed(_text(subject, failure)) from failure
    except ToozError as failure:
        raise errors.BackupFailed(
            f"{subject}: Cinder's coordination backend failed: {failure}"
        ) from failure


def _text(subject: str, failure: Exception) -> str:
    text = str(failure)
    last_word = subject.rsplit(" ", 1)[-1]
    return text if last_word in text else f"{subject}: {text}"
