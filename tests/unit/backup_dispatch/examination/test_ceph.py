# SPDX-License-Identifier: Apache-2.0
"""What is found out about Ceph without changing anything, and with one small object."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cinder import objects

objects.register_all()

from backup_dispatch.examination import small_object  # noqa: E402 - after Cinder's objects
from backup_dispatch.examination.ceph import ceph  # noqa: E402
from backup_dispatch.examination.finding import Options, State  # noqa: E402
from tests.fixtures.backends.ceph_stand_in import Cluster, Error, ObjectNotFound, OpenPool, Pool  # noqa: E402
from tests.unit.backup_dispatch.drivers.test_ceph import driver_of  # noqa: E402


@pytest.fixture
def options(tmp_path: Path) -> Options:
    conf = tmp_path / "ceph.conf"
    conf.touch()
    return Options(
        SimpleNamespace(
            backup_ceph_user="cinder", backup_ceph_pool="backups", backup_ceph_conf=str(conf)
        )
    )


def looked(options: Options, cluster: Cluster, **modules: Any) -> list[tuple[str, State, str]]:
    names = {"rados": cluster, "rbd": cluster, **modules}
    found = ceph(options, names, lambda: driver_of(cluster))
    return [(one.subject, one.state, one.text) for one in found]


def test_ceph_that_can_be_read_is_up_and_no_connection_is_left(options: Options) -> None:
    cluster = Cluster(backups=Pool())
    assert looked(options, cluster) == [
        ("connection", State.UP, ""),
        ("pool", State.UP, ""),
    ]
    assert cluster.connections == 0


@pytest.mark.parametrize(
    ("fault", "phrases"),
    [
        (
            ObjectNotFound("error connecting"),
            ("no usable key", "keyring = ", "/etc/ceph/ceph.client.cinder.keyring"),
        ),
        (Error("timed out"), ("monitors do not answer", "mon_host in [DEFAULT] backup_ceph_conf")),
    ],
)
def test_ceph_that_does_not_connect_is_down_and_says_how_to_mend_it(
    options: Options, fault: Exception, phrases: tuple[str, ...]
) -> None:
    cluster = Cluster(backups=Pool())
    cluster.fault = fault
    ((_, state, text),) = looked(options, cluster)
    assert state is State.DOWN
    assert all(phrase in text for phrase in phrases), text


def test_ceph_whose_configuration_names_no_monitor_is_down(options: Options) -> None:
    cluster = Cluster(backups=Pool())
    cluster.fault, cluster.mon_host = ObjectNotFound("error connecting"), ""
    ((_, state, text),) = looked(options, cluster)
    assert (state, text.endswith("names no monitor. Set mon_host there.")) == (State.DOWN, True)


def test_ceph_whose_configuration_is_none_is_down(options: Options) -> None:
    cluster = Cluster(backups=Pool())
    cluster.unread = Error("error calling conf_read_file")
    ((subject, state, text),) = looked(options, cluster)
    assert (subject, state) == ("options", State.DOWN)
    assert "[DEFAULT] backup_ceph_conf = " in text
    assert "cannot be read as Ceph's configuration" in text


class Timeout(OSError):
    """As rbd's, when no OSD answers."""


class PermissionDeniedError(Error):
    """As rados'."""


@pytest.mark.parametrize(
    ("fault", "phrases"),
    [
        (Timeout(110, "RBD operation timeout"), ("OSDs do not answer", "ceph -s")),
        (PermissionDeniedError("no"), ("does not let the user cinder", "ceph auth get")),
        (Error("strange"), ("cannot be read: Error: strange", "ceph -s")),
    ],
)
def test_ceph_whose_pool_cannot_be_read_is_down_and_says_why(
    options: Options, fault: Exception, phrases: tuple[str, ...]
) -> None:
    cluster = Cluster(backups=Pool())
    cluster.unlisted = fault
    (_, (subject, state, text)) = looked(options, cluster)
    assert (subject, state) == ("pool", State.DOWN)
    assert all(phrase in text for phrase in phrases), text
    # It would replace all the rights that the user has.
    assert "auth caps" not in text


def test_ceph_without_the_pool_is_down_and_named(options: Options) -> None:
    (_, (_, state, text)) = looked(options, Cluster(other=Pool()))
    assert state is State.DOWN
    assert "[DEFAULT] backup_ceph_pool = backups" in text
    assert "ceph osd pool create backups" in text


def test_ceph_without_its_modules_is_down_and_tells_the_packages(options: Options) -> None:
    ((_, state, text),) = looked(options, Cluster(), rados=None)
    assert state is State.DOWN
    assert "python3-rados, python3-rbd" in text


def test_object_in_ceph_comes_back_and_is_gone() -> None:
    cluster = Cluster(backups=Pool())
    found = small_object._tried(small_object._Rados(driver_of(cluster)))
    assert found.state is State.UP
    assert cluster.options["rados_osd_op_timeout"] == "10"
    assert cluster.pools["backups"].data
    assert not cluster.pools["backups"].objects


def test_object_in_ceph_that_stays_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pool: OpenPool, _name: str) -> None:
        raise Error("no permission")

    monkeypatch.setattr(OpenPool, "remove_object", refuse)
    cluster = Cluster(backups=Pool())
    found = small_object._tried(small_object._Rados(driver_of(cluster)))
    (left,) = cluster.pools["backups"].objects
    assert found.state is State.UNWRITABLE
    assert f"{left} in pool backups could not be removed: Error: no permission" in found.text


def test_object_that_never_came_to_be_is_not_told_as_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pool: OpenPool, _name: str, _data: bytes) -> None:
        raise Error("no permission")

    monkeypatch.setattr(OpenPool, "write_full", refuse)
    found = small_object._tried(small_object._Rados(driver_of(Cluster(backups=Pool()))))
    assert "could not be written: Error: no permission" in found.text
    assert "removed" not in found.text
