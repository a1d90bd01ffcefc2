# SPDX-License-Identifier: Apache-2.0
"""The operator's commands: what they tell is passed on, and so is why they fail."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.day_two import command
from demo.day_two.command import CommandFailed, NothingMounted, Operator
from demo.waiting import until

Make = Callable[[str], Operator]


@pytest.fixture
def shown() -> list[str]:
    return []


@pytest.fixture
def operator(tmp_path: Path, shown: list[str]) -> Make:
    def make(program: str) -> Operator:
        words = [sys.executable, "-S", "-c", f"import sys, os\n{program}"]
        return Operator(tmp_path / "cinder.conf", shown.append, words)

    return make


def test_a_command_is_shown_as_typed_and_run_beside_cinder_conf(
    operator: Make, shown: list[str], tmp_path: Path
) -> None:
    program = "import json; print(json.dumps([os.getcwd(), *sys.argv[1:]]))"
    told = operator(program).run("list", "--backend", "datera")
    conf = ["--config-file", "cinder.conf"]
    assert told == [str(tmp_path), *conf, "list", "--backend", "datera", "-f", "json"]
    assert shown == ["backup-dispatch --config-file cinder.conf list --backend datera"]


def test_a_failure_tells_the_exit_code_and_the_words(operator: Make) -> None:
    with pytest.raises(CommandFailed, match=r"verify one: exit code 3: .*datera is down"):
        operator("sys.exit(sys.stderr.write('datera is down') and 3)").run("verify", "one")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, "backup-dispatch: /dev/fuse cannot be used here"),
        (1, "backup-dispatch: mounted could not be mounted: not permitted"),
    ],
)
def test_where_nothing_can_be_mounted_that_is_told(operator: Make, code: int, words: str) -> None:
    program = f"print({words!r}, file=sys.stderr); sys.exit({code})"
    with pytest.raises(NothingMounted) as told, operator(program).mounted("one", "mounted"):
        pytest.fail("nothing is mounted")
    assert str(told.value) == words.removeprefix("backup-dispatch: ")


def test_a_mount_that_fails_for_another_reason_is_a_failure(operator: Make) -> None:
    program = "print('backup-dispatch: There is no backup one.', file=sys.stderr); sys.exit(1)"
    with (
        pytest.raises(CommandFailed, match=r"There is no backup one\."),
        operator(program).mounted("one", "mounted"),
    ):
        pytest.fail("nothing is mounted")


def test_when_the_demo_is_interrupted_a_mount_is_ended_by_itself(
    operator: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        until("the mount", (tmp_path / "begun").exists, seconds=60)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "until", interrupted)
    program = """import signal
signal.signal(signal.SIGTERM, lambda *_: (open("ended", "w").close(), sys.exit()))
open("begun", "w").close()
while True: signal.pause()"""
    with pytest.raises(KeyboardInterrupt), operator(program).mounted("one", "mounted"):
        pytest.fail("nothing is mounted")
    assert (tmp_path / "ended").exists()


def test_a_programs_failure_tells_its_words(operator: Make) -> None:
    with pytest.raises(CommandFailed, match="no such file"):
        operator("").tool(sys.executable, "-S", "-c", "raise SystemExit('no such file')")
