# SPDX-License-Identifier: Apache-2.0
"""A copy that was killed or interrupted is removed by the next run, and no other record is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cinder import exception

from datera_emulator import Emulator
from tests.fixtures.backends.copying import (
    during,
    require_nothing_but,
)
from tests.fixtures.backends.five_backends import (
    CLASSES,
    IN_ITS_OWN_THREADS,
    counted,
    switch_to,
    usage_of,
)

Run = Callable[..., Any]
Patch = pytest.MonkeyPatch

pytestmark = IN_ITS_OWN_THREADS


class Killed(BaseException):
    """Nothing runs after it, as in a process that was killed."""


def killed(patch: Patch, run: Run, source: Any, *, at: int, **named: str) -> None:
    from backup_dispatch.jobs.copying.copier import Copier

    def die() -> None:
        raise Killed

    with patch.context() as inner:
        inner.setattr(Copier, "_undo", lambda *_arguments: None)
        during(inner, die, at=at)
        with pytest.raises(Killed):
            run("copy", source.id, "--to", named.get("to", "posix"))


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("target", ["posix", "datera"])
def test_a_killed_copy_is_removed_by_the_next_run(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch, target: str
) -> None:
    killed(monkeypatch, run, source, at=3, to=target)
    (left,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
    assert (left.status, left.host) == ("creating", None)
    assert "Being copied by backup-dispatch on host testhost" in left.fail_reason
    assert usage_of(cloud) == counted(cloud)
    # The service starts again, and takes it for nobody's.
    cloud.restart_backup_manager()
    assert cloud.backup(left.id).status == "creating"
    assert run("copy", source.id, "--to", target, "--dry-run").code == 0
    assert cloud.backup(left.id).status == "creating"
    ended = run("copy", source.id, "--to", target, "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (0, "copied")
    with pytest.raises(exception.BackupNotFound):
        cloud.backup(left.id)
    assert cloud.delete_backup(cloud.backup(ended.json[0]["Copy"])) is None
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


@pytest.mark.faults
def test_a_killed_copy_can_be_deleted_by_its_owner(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    killed(monkeypatch, run, source, at=3)
    (left,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
    switch_to(cloud, "posix")
    assert cloud.delete_backup(left, force=True) is None
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


@pytest.mark.faults
def test_another_hosts_copy_is_left_alone_where_locks_are_files(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    killed(monkeypatch, run, source, at=3)
    (left,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
    left.fail_reason = "Being copied by backup-dispatch on host another"
    left.save()
    assert run("copy", source.id, "--to", "posix").code == 0
    assert cloud.backup(left.id).status == "creating"


def test_a_users_own_backup_that_is_being_made_is_left_alone(
    cloud: Any, source: Any, run: Run
) -> None:
    begun = cloud.create_backup(
        cloud.create_volume(1), "posix_1", properties={"copy_of": source.id}
    )
    # As the service has it, as the API leaves it until there is a host, as an import begins with a
    # record that a move has deleted, and as it leaves that when it fails.
    for status, host, service in (
        ("creating", "testhost", CLASSES["posix"]),
        ("creating", None, None),
        ("creating", None, CLASSES["posix"]),
        ("error", None, CLASSES["posix"]),
    ):
        begun.status, begun.host, begun.service = status, host, service
        begun.save()
        assert run("copy", source.id, "--to", "posix", "--verify", "none").code == 0
        assert cloud.backup(begun.id).status == status


@pytest.mark.faults
def test_after_ctrl_c_nothing_is_left(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch, emulator: Emulator
) -> None:
    def cancel() -> None:
        raise KeyboardInterrupt

    for target in ("posix", "datera"):
        with monkeypatch.context() as patch:
            during(patch, cancel)
            ended = run("copy", source.id, "--to", target)
        assert (ended.code, ended.out) == (130, "")
        require_nothing_but(cloud, source, folder=cloud.directory / "posix")
    assert not list(emulator.cluster.sessions)


def test_ctrl_c_right_after_the_end_leaves_a_sound_copy(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    from backup_dispatch.jobs.copying import record

    finish = record.finish

    def finishing(copy: Any) -> bool:
        assert finish(copy)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(record, "finish", finishing)
        assert run("copy", source.id, "--to", "posix").code == 130
    (copy,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
    assert copy.status == "available"
    assert run("verify", copy.id).code == 0
    assert run("copy", source.id, "--to", "posix", "-f", "json").json[0]["Copy"] == copy.id
