# SPDX-License-Identifier: Apache-2.0
"""This host's initiator, and attempts to log in to a target."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cinder import objects

# The rest of Cinder can be imported only after its objects have been registered.
objects.register_all()
from cinder import utils  # noqa: E402
from cinder.volume import volume_utils  # noqa: E402
from os_brick.privileged import rootwrap as priv_rootwrap  # noqa: E402

from datera_backup.errors import AttachFailed  # noqa: E402
from datera_backup.storage import host, locks  # noqa: E402
from datera_volume.connection import StorageInstance  # noqa: E402

DENIED = PermissionError(errno.EACCES, "Permission denied", "cat")


@pytest.mark.parametrize(
    ("barred", "told"),
    [
        ([], r"'cat'$"),
        (
            ["/root/bin"],
            r"'cat'; remove from PATH the folders that this user may not enter: /root/bin$",
        ),
    ],
)
def test_command_that_os_brick_may_not_run_is_named_with_the_remedy(
    barred: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_arguments: object, **_named: object) -> None:
        raise DENIED

    monkeypatch.setattr(priv_rootwrap, "execute", denied)
    monkeypatch.setattr(host, "not_enterable", lambda _path: barred)

    with pytest.raises(AttachFailed, match=told):
        host.this_initiator()


def test_only_the_file_with_the_initiators_name_is_read_of_this_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands: list[tuple[str, ...]] = []

    def run(*command: str, **_how: object) -> tuple[str, str]:
        commands.append(command)
        return "## a remark\nInitiatorName=iqn.mine\n", ""

    monkeypatch.setattr(priv_rootwrap, "execute", run)
    monkeypatch.setattr(priv_rootwrap, "custom_execute", run)

    assert host.this_initiator().iqn == "iqn.mine"
    assert commands == [("cat", "/etc/iscsi/initiatorname.iscsi")]


TARGET = StorageInstance("storage-1", "/storage", "available", ips=("192.0.2.1",), iqn="iqn.target")
MINE = host.Initiator("iqn.mine", "testhost", multipath=False)


def connecting(monkeypatch: pytest.MonkeyPatch, *outcomes: Any) -> mock.Mock:
    """Let os-brick's attempts to connect end like this, one after the other."""
    connector = mock.Mock()
    connector.connect_volume.side_effect = outcomes
    monkeypatch.setattr(volume_utils, "brick_get_connector", lambda *_args, **_named: connector)
    return connector


def test_target_that_is_up_late_is_logged_in_to_after_growing_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = RuntimeError("connection refused")
    connecting(monkeypatch, late, late, late, {"path": "/dev/sdx"})
    pauses: list[float] = []
    assert host.connect(TARGET, MINE, sleep=pauses.append).path == "/dev/sdx"
    assert pauses == [1, 2, 4]


def test_target_that_stays_down_is_named_with_its_portals(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = connecting(monkeypatch, *[RuntimeError("connection refused")] * 5)
    with pytest.raises(AttachFailed, match=r"iqn.target at 192.0.2.1:3260\): connection refused"):
        host.connect(TARGET, MINE, sleep=lambda _seconds: None)
    assert connector.connect_volume.call_count == host.CONNECT_ATTEMPTS


def test_thread_that_ends_while_it_logs_in_is_not_kept_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connector = connecting(monkeypatch, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        host.connect(TARGET, MINE, sleep=lambda _seconds: None)
    assert connector.connect_volume.call_count == 1


@pytest.mark.parametrize("holder", ["thread", "process"])
def test_device_that_others_are_opening_is_waited_for_until_a_deadline(
    holder: str, coordinated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(Path(locks.lock_folder()) / f"{locks.PREFIX}open")
    monkeypatch.setattr(locks, "OPENING_SECONDS", 0.0)
    with ExitStack() as others:
        if holder == "thread":
            others.enter_context(locks.opening_lock())
        else:
            others.enter_context(another_process_with(path))
        with pytest.raises(AttachFailed, match=r"Timed out after 0 s waiting for .*-open: "):
            host.open_device("/dev/null", writable=False)
    monkeypatch.setattr(utils, "temporary_chown", nullcontext)
    os.close(host.open_device("/dev/null", writable=False))


@contextmanager
def another_process_with(path: str) -> Iterator[None]:
    """Inside, another process of this host holds the lock on a file."""
    hold = (
        "import sys, fasteners; lock = fasteners.InterProcessLock(sys.argv[1]); "
        "print(lock.acquire(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        try:
            yield
        finally:
            process.communicate()
