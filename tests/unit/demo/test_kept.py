# SPDX-License-Identifier: Apache-2.0
"""A cloud that was left running can be stopped later, and nothing else is."""

import os
import sys
from pathlib import Path

import pytest

from demo import kept
from demo.cloud import Cloud
from demo.servers.processes import Servers

SERVER = "from demo.servers.processes import say_ready; say_ready(); import signal; signal.pause()"


def a_cloud(directory: Path) -> Cloud:
    cloud = Cloud(directory, Servers(directory / "log"))
    cloud.servers.start("one", [sys.executable, "-c", SERVER])
    return cloud


def test_what_was_left_running_is_stopped_and_removed(tmp_path: Path) -> None:
    cloud = a_cloud(tmp_path / "cloud")
    (server,) = cloud.servers
    kept.write(cloud)
    said: list[str] = []

    kept.stop(cloud.directory, said.append)

    assert said == ["stopped one"]
    assert not server.running
    assert not cloud.directory.exists()


def test_a_process_that_got_an_old_number_is_left_alone(tmp_path: Path) -> None:
    cloud = a_cloud(tmp_path / "cloud")
    (server,) = cloud.servers
    kept.write(cloud)
    note = cloud.directory / kept.FILE
    note.write_text(note.read_text().replace(kept.since(server.pid), "1"))

    kept.stop(cloud.directory, lambda text: None)

    assert server.running
    cloud.servers.stop(hurried=lambda: True)


def test_only_the_directory_of_a_kept_demo_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(kept.NotKept):
        kept.stop(tmp_path, lambda text: None)

    assert tmp_path.exists()


def test_a_process_that_is_gone_has_no_start_time() -> None:
    assert kept.since(os.getpid())
    assert kept.since(2**22 + 1) == ""
