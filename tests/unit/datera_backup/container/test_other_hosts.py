# SPDX-License-Identifier: Apache-2.0
"""What another host wrote is seen, whatever this one has in its cache."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from datera_backup.container import (
    BackupReader,
    Container,
    ContainerChanged,
    Device,
    FileDevice,
    LayoutDamaged,
    Remains,
)
from datera_backup.engine import VerifyJob
from tests.fixtures.containers.devices import Buffer, CachingDevice, MemoryDevice
from tests.fixtures.containers.moving import (
    FEW,
    back_up,
    identifier,
    reopened,
    restore,
    some_bytes,
    writer_for,
)

DATA = [some_bytes(seed, 100_000) for seed in range(4)]
Hosts = tuple[Device, Device]


def in_memory(_path: Path, _undo: ExitStack) -> Hosts:
    shared = MemoryDevice(64 << 20)
    return CachingDevice(shared), CachingDevice(shared)


def loop_devices(path: Path, undo: ExitStack) -> Hosts:
    """Two block devices over one file: each has a page cache of its own, like two hosts."""
    if os.geteuid() != 0:
        pytest.skip("only root can make loop devices")
    file = path / "disk"
    file.touch()
    os.truncate(file, 64 << 20)
    devices = []
    for _ in range(2):
        made = subprocess.run(
            ["losetup", "--find", "--show", "--direct-io=off", str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            pytest.skip(f"no loop device is to be had: {made.stderr.strip()}")
        name = made.stdout.strip()
        undo.callback(subprocess.run, ["losetup", "--detach", name], check=True)
        devices.append(undo.enter_context(FileDevice(name)))
    return devices[0], devices[1]


@pytest.fixture(params=[in_memory, loop_devices])
def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosts]:
    """One device as two hosts have it."""
    with ExitStack() as undo:
        yield request.param(tmp_path, undo)


def opened(device: Device) -> Container:
    return Container.open(device, identifier(0))


def verify(container: Container, number: int) -> None:
    job = VerifyJob(BackupReader(container, identifier(number)), settings=FEW)
    job.start()
    job.result()


def test_a_deletion_does_not_bring_an_old_table_back(hosts: Hosts) -> None:
    here, there = hosts
    first = Container.format(here, identifier(0))
    back_up(first, 0, DATA[0])
    writer_for(opened(there), 1, len(DATA[1]))  # ended half-way
    verify(opened(there), 0)
    back_up(opened(here), 2, DATA[2])
    assert opened(there).committed == (identifier(0), identifier(2))
    assert opened(there).drop(identifier(2)) is Remains.BACKUPS
    back_up(opened(here), 3, DATA[3])
    assert opened(there).committed == (identifier(0), identifier(3))


def test_one_that_stays_open_looks_again_before_it_changes_anything(hosts: Hosts) -> None:
    here, there = hosts
    back_up(Container.format(here, identifier(0)), 0, DATA[0])
    stale = opened(there)
    back_up(opened(here), 1, DATA[1])
    back_up(stale, 2, DATA[2])
    for device in hosts:
        container = opened(device)
        assert container.committed == tuple(map(identifier, range(3)))
        for number in range(3):
            assert restore(container, number) == DATA[number]


def test_a_range_that_was_used_again_is_read_anew(hosts: Hosts) -> None:
    here, there = hosts
    back_up(Container.format(here, identifier(0)), 0, DATA[0])
    back_up(opened(here), 1, DATA[1])
    verify(opened(there), 1)
    opened(here).drop(identifier(1))
    back_up(opened(here), 2, DATA[2])
    assert restore(opened(there), 2) == DATA[2]


def test_a_device_is_not_formatted_over_what_another_host_made_there(hosts: Hosts) -> None:
    from datera_backup.container import AlreadyAContainer

    here, there = hosts
    with pytest.raises(Exception, match="never formatted"):
        opened(there)
    Container.format(here, identifier(0))
    with pytest.raises(AlreadyAContainer):
        Container.format(there, identifier(1))


class Interfering(MemoryDevice):
    """Somebody else writes the superblock right after this host did."""

    def __init__(self, device: MemoryDevice, theirs: bytes) -> None:
        super().__init__(content=device.content)
        self._theirs = theirs
        self._writes = 0

    def pwrite(self, offset: int, *buffers: Buffer) -> None:
        super().pwrite(offset, *buffers)
        self._writes += 1
        if self._writes == 2:
            super().pwrite(0, self._theirs)


def test_a_change_that_somebody_overwrote_is_no_success() -> None:
    device = MemoryDevice(64 << 20)
    container = Container.format(device, identifier(0))
    back_up(container, 0, DATA[0])
    theirs = device.content.read(0, 4 << 20)
    with pytest.raises(ContainerChanged, match="another process writes"):
        opened(Interfering(device, theirs)).drop(identifier(0))
    assert reopened(container).committed == (identifier(0),)


def test_a_part_of_a_page_is_forgotten_too(hosts: Hosts) -> None:
    here, there = hosts
    buffer = bytearray(10)
    there.pread(4090, memoryview(buffer))
    here.pwrite(4090, b"0123456789")
    here.flush()
    there.forget(4091, 6)
    there.pread(4090, memoryview(buffer))
    assert bytes(buffer) == b"0123456789"


def test_what_was_written_here_is_not_forgotten(hosts: Hosts) -> None:
    device = hosts[0]
    device.pwrite(100, b"mine")
    device.forget()
    buffer = bytearray(4)
    device.pread(100, memoryview(buffer))
    assert bytes(buffer) == b"mine"
    with pytest.raises(LayoutDamaged):
        device.pread(device.size - 1, memoryview(buffer))
