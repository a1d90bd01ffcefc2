# SPDX-License-Identifier: Apache-2.0
"""The project's own commands on the pages can be typed as they stand there."""

from __future__ import annotations

import subprocess
from importlib import metadata

import pytest

from bench.__main__ import _parser as bench_parser
from bench.held import parser as held_parser
from bench.hourly import parser as hourly_parser
from bench.scale import parser as scale_parser
from datera_emulator.cli import _parser as emulator_parser
from tests.fixtures.pages import PROGRAMS, ROOT, PageCommand, commands_of
from tests.fuzzing.containers import options as forging_options

STAND_FOR = {"DIR": "directory", "DIRECTORY": "directory"}

OF_A_CONTAINER = {
    "BACKUP": "5a9df6e2-8f3b-4f5e-9d0c-3b1f6f1c2a77",
    "DEVICE": "/dev/sdc",
    "OUTPUT": "volume.raw",
}

# Programs whose commands other tests type: with Keystone, Cinder and Swift, or beside a Cinder.
TYPED_ELSEWHERE = {"backup-dispatch", "curl", "openstack"}

NOT_RUN = {
    # What they do to a host, no test may do to the host it runs on.
    "sudo systemctl daemon-reload",
    "sudo systemctl edit backup-dispatch-verify.service",
    "sudo systemctl enable --now backup-dispatch-verify.timer",
    # The tests' own environment was made by such a command.
    "pip install dfs_sdk",
    "pip list",
    "pip install 'backup-dispatch[metrics]'",
    "pip install 'backup-dispatch[report]'",
    "python -m pip install '.[datera]'",
    "python -m pip install '.[testing]'",
    # Cinder's own, named in passing.
    "cinder-manage db purge",
    "cinder-manage quota check",
}


def of(*programs: str) -> list[PageCommand]:
    return [one for one in commands_of(*programs) if one.text not in NOT_RUN]


def shown(one: PageCommand) -> str:
    return f"{one.page}: {one.text}"


@pytest.mark.parametrize("command", of("make"), ids=shown)
def test_make_knows_the_target(command: PageCommand) -> None:
    words = [word for word in command.words(STAND_FOR) if not word.startswith("PYTHON=")]
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_of_make_fits_a_terminal() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, check=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) > 10
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("command", of("python", "python3"), ids=shown)
def test_python_knows_the_module_and_its_options(command: PageCommand) -> None:
    flag, module, *arguments = command.words(STAND_FOR)
    assert flag == "-m"
    if module == "bench":
        bench_parser().parse_args(arguments)
    elif module == "tests.fuzzing.containers":
        forging_options().parse_args(arguments)
    elif module == "bench.scale":
        scale_parser().parse_args(arguments)
    elif module == "bench.held":
        held_parser().parse_args(arguments)
    elif module == "bench.hourly":
        hourly_parser().parse_args(arguments)
    else:
        assert (module, arguments) in [
            ("bench.emulator", []),
            ("demo", ["--stop", "directory"]),
            # Typed by tests/functional/backup_dispatch/test_writing_a_backend.py.
            ("testtools.run", ["tape_backup.test_driver"]),
            (
                "datera_emulator.with_connector",
                ["cinder-volume", "--config-file", "cinder.conf"],
            ),
        ]


@pytest.mark.parametrize("command", of("datera-emulator"), ids=shown)
def test_the_emulator_takes_the_options(command: PageCommand) -> None:
    emulator_parser().parse_args(command.words(STAND_FOR))


@pytest.mark.parametrize("command", of("oslo-config-generator"), ids=shown)
def test_the_generator_of_samples_knows_the_namespaces(command: PageCommand) -> None:
    names = {one.name for one in metadata.entry_points(group="oslo.config.opts")}
    words = command.words(STAND_FOR)
    assert set(words[::2]) == {"--namespace"}
    assert set(words[1::2]) <= names


@pytest.mark.parametrize("command", of("datera-backup"), ids=shown)
def test_the_backup_driver_s_command_takes_the_options(command: PageCommand) -> None:
    from datera_backup.command.main import _parsers

    parser, salvaging = _parsers()
    first, *others = words = command.words(OF_A_CONTAINER)
    if first == "salvage":
        salvaging.parse_intermixed_args(others)
    else:
        parser.parse_args(words)


def test_what_is_not_run_still_stands_on_a_page() -> None:
    assert {one.text for one in commands_of(*PROGRAMS)} >= NOT_RUN


def test_no_program_on_the_pages_is_left_out() -> None:
    looked_at = {"datera-backup", "datera-emulator", "make", "oslo-config-generator", "python"}
    left = [shown(one) for one in of(*PROGRAMS) if one.program not in looked_at | TYPED_ELSEWHERE]
    assert not left
