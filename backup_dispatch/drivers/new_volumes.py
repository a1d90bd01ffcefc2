# SPDX-License-Identifier: Apache-2.0
"""Which driver must not be told that the volume it restores onto is new.

A driver may skip zeros on a new volume. Drivers of several Cinder releases do that incorrectly;
told that the volume is not new they write every byte, and the content is correct.

Distributions backport fixes without changing the version number. So each entry of :data:`FAULTS`
tests the code's behaviour, with stand-ins for everything that it works on, and uses Cinder's
version only if the code does not have the known structure.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from types import FunctionType, SimpleNamespace
from typing import Any

from oslo_log import log as logging

from backup_dispatch.drivers.families import CHUNKED_DRIVER, is_ceph, is_chunked

LOG = logging.getLogger(__name__)

_SILENT = logging.getLogger(f"{__name__}.stand_in")
_SILENT.logger.disabled = True

Release = tuple[int, int]


@dataclass(frozen=True)
class Fault:
    """A bug of a driver when restoring onto a new volume.

    :ivar bug: its number in Cinder's bug tracker, Launchpad.
    :ivar why: what happens, for the log.
    :ivar concerns: whether it can affect this restore: by driver, backup and the volume's file.
    :ivar seen_in: whether the class's code has it; None if that cannot be determined.
    :ivar released_in: whether that release of Cinder, major and minor, has it.
    """

    bug: int | None
    why: str
    concerns: Callable[[Any, Any, Any], bool]
    seen_in: Callable[[type[Any]], bool | None]
    released_in: Callable[[Release], bool]

    def has(self, driver_class: type[Any]) -> bool:
        """Whether the driver class has the bug."""
        seen = _looked_at(self.seen_in, driver_class)
        return self.released_in(cinder_release()) if seen is None else seen


def cinder_release() -> Release:
    """Major and minor version of the installed Cinder: (29, 0) for 2026.2."""
    major, minor = metadata.version("cinder").split(".")[:2]
    return int(major), int(minor)


def may_be_told(driver: Any, backup: Any, volume_file: Any) -> bool:
    """Whether the driver restores this backup correctly onto a new volume.

    :param volume_file: the volume, as Cinder opened it.
    """
    for fault in FAULTS:
        if fault.concerns(driver, backup, volume_file) and fault.has(type(driver)):
            LOG.info("Backup %s is restored with all its zeros: %s.", backup.id, fault.why)
            return False
    return True


def _looked_at(look: Callable[[type[Any]], bool | None], driver_class: type[Any]) -> bool | None:
    try:
        return look(driver_class)
    except Exception as error:
        # Code of another structure than the known one fails on the stand-ins.
        LOG.debug("What %s does on a new volume cannot be seen: %s", driver_class.__name__, error)
        return None


def _with_globals(function: Any, **replaced: Any) -> Callable[..., Any]:
    """The same function, in a module of its own with these names replaced."""
    return FunctionType(
        function.__code__,
        {**function.__globals__, "LOG": _SILENT, **replaced},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


def _is_of(function: Any, class_path: str) -> bool:
    """Whether the method is that class's, and not overridden in a subclass."""
    return bool(f"{function.__module__}.{function.__qualname__}".startswith(f"{class_path}."))


# Zeros of an incremental


class _Record(dict[str, str]):
    """A backup's record, as far as a restore reads it."""

    def __init__(self, parent_id: str | None) -> None:
        super().__init__(id="", container="", service_metadata="")
        self.id = ""
        self.parent_id = parent_id


def _zeros_of_incrementals_skipped(driver_class: type[Any]) -> bool | None:
    """Restore an incremental on a full backup, and check which of them may skip zeros."""
    if not _is_of(driver_class.restore, CHUNKED_DRIVER):
        return None
    skipping: list[bool] = []

    def restore_one(one: _Record, _volume: str, _metadata: Any, _file: Any, *more: Any) -> None:
        if one.parent_id:
            skipping.append(bool(more[0]))

    full = _Record(None)
    driver = SimpleNamespace(
        context=None,
        DRIVER_VERSION_MAPPING={"1": "restore_one"},
        restore_one=restore_one,
        _read_metadata=lambda _record: {"version": "1"},
    )
    records = SimpleNamespace(Backup=SimpleNamespace(get_by_id=lambda _context, _id: full))
    _with_globals(driver_class.restore, objects=records)(driver, _Record("full"), "", None, True)
    (answer,) = skipping
    return answer


# RBD accepts only bytes


class _NotedWrites(io.BytesIO):
    """A volume that records the types of what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.types: set[type[Any]] = set()

    def write(self, data: Any) -> int:
        self.types.add(type(data))
        return super().write(data)


def _others_than_bytes_written(driver_class: type[Any]) -> bool | None:
    """Write a byte as restoring onto a new volume does, and check what the file gets."""
    if not _is_of(driver_class._restore_v1, CHUNKED_DRIVER):
        return None
    volume = _NotedWrites()
    # From the driver's own module, also if a backend has a copy of it.
    driver_class._restore_v1.__globals__["_write_volume"](True, volume, 0, b"\1")
    return volume.types != {bytes}


def _is_rbd(volume_file: Any) -> bool:
    return hasattr(volume_file, "rbd_image")


# Chunks of zeros in Ceph

_CHUNK = 4


def _data_shifted(driver_class: type[Any]) -> bool:
    """Transfer a chunk of zeros and one of data, and check where the data is written."""
    content = bytes(_CHUNK) + b"data"
    volume = io.BytesIO(b"\xff" * len(content))
    ticks = iter(range(1000))
    # Some compute a rate from the clock: it must advance.
    clock = SimpleNamespace(time=lambda: float(next(ticks)))
    transfer = _with_globals(driver_class._transfer_data, time=clock)
    driver = SimpleNamespace(chunk_size=_CHUNK)
    transfer(driver, io.BytesIO(content), "", volume, "", len(content), discard_zeros=True)
    return not volume.getvalue().endswith(b"data")


FAULTS = (
    Fault(
        bug=None,
        why="this driver would leave out the zeros that an incremental puts over older data",
        concerns=lambda driver, backup, _file: is_chunked(driver) and bool(backup.parent_id),
        seen_in=_zeros_of_incrementals_skipped,
        released_in=lambda release: release < (29, 0),
    ),
    Fault(
        bug=2082587,
        why="this driver fails with a TypeError on new volumes in Ceph",
        concerns=lambda driver, _backup, volume_file: is_chunked(driver) and _is_rbd(volume_file),
        seen_in=_others_than_bytes_written,
        released_in=lambda release: (25, 0) <= release < (25, 3) or release == (26, 0),
    ),
    Fault(
        bug=2155612,
        why="this driver would move all that follows a chunk of zeros to the front",
        concerns=lambda driver, _backup, _file: is_ceph(driver),
        seen_in=_data_shifted,
        released_in=lambda release: release <= (28, 0),
    ),
)
"""The known bugs on new volumes in Cinder 25 to 29."""
