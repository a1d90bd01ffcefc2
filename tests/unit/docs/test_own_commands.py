# SPDX-License-Identifier: Apache-2.0
"""The project's own commands on the pages can be typed as they stand there."""

from __future__ import annotations

import argparse
import re
import subprocess
from functools import cache
from importlib import metadata

import pytest

from bench.__main__ import _parser as bench_parser
from bench.held import parser as held_parser
from bench.hourly import parser as hourly_parser
from bench.scale import parser as scale_parser
from datera_emulator.cli import _parser as emulator_parser
from tests.fixtures.pages import PROGRAMS, ROOT, PageCommand, all_commands, commands_of
from tests.fixtures.pages.typed import (
    COMMANDS_OF,
    NOT_HERE,
    ON_REAL_SERVERS,
    OPENSTACK,
    PROGRAMS_OF,
    WALKS,
)
from tests.fixtures.pages.walk import steps_of
from tests.fuzzing.containers import options as forging_options

STAND_FOR = {"DIR": "directory", "DIRECTORY": "directory"}

OF_A_CONTAINER = {
    "BACKUP": "5a9df6e2-8f3b-4f5e-9d0c-3b1f6f1c2a77",
    "DEVICE": "/dev/sdc",
    "OUTPUT": "volume.raw",
}

OWN = ("backup-dispatch", "datera-backup", "datera-emulator")
LOOKED_AT = {*OWN, "make", "oslo-config-generator", "python"}

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
    "cinder-manage db sync",
    "cinder-manage quota check",
}


_DEMO = ROOT / "tests" / "functional" / "demo"
_SOURCES = [_DEMO / "test_openstack_commands.py", *(_DEMO / "walks").glob("*.py")]
DEMO_TESTS = "".join(re.sub(r'"\n +"', "", one.read_text()) for one in _SOURCES)
"""The tests that type commands on the demo's cloud; broken texts in one line."""


def of(*programs: str) -> list[PageCommand]:
    """What is typed here: our own commands also where their blocks cannot be run."""
    found = [one for one in commands_of(*programs) if one.text not in NOT_RUN]
    return [one for one in found if one.program in OWN or not one.why_not]


def shown(one: PageCommand) -> str:
    return f"{one.page}: {one.text}"


@pytest.mark.parametrize("command", of("make"), ids=shown)
def test_make_knows_the_target(command: PageCommand) -> None:
    words = [word for word in command.words(STAND_FOR) if not word.startswith("PYTHON=")]
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    targets = [word for word in words if "=" not in word]
    assert [
        one for one in targets if not re.search(rf"^  make {one} +\S", help_of_make(), re.M)
    ] == []


def test_help_of_make_fits_a_terminal() -> None:
    lines = help_of_make().splitlines()
    assert len(lines) > 10
    assert [line for line in lines if len(line) > 80] == []


@cache
def help_of_make() -> str:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, check=True, text=True)
    return done.stdout


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
            ("pictures", []),
            ("tests.mutants.guards", []),
            # Typed by tests/functional/backup_dispatch/test_writing_a_backend.py.
            ("testtools.run", ["tape_backup.test_driver"]),
            (
                "datera_emulator.with_connector",
                ["cinder-volume", "--config-file", "cinder.conf"],
            ),
            # The same with another connector: tests/services/test_iscsi.py starts it.
            ("datera_emulator.with_connector", ["cinder-volume"]),
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


@pytest.mark.parametrize("command", of("backup-dispatch"), ids=shown)
def test_the_dispatcher_s_command_takes_the_options(command: PageCommand) -> None:
    verb, *words = command.words(STAND_FOR)
    if verb != "help" and words:
        parsers()[f"backup-dispatch {verb}"].parse_args(words)
    else:
        assert verb == "help" or f"backup-dispatch {verb}" in parsers()


@cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parsers of all commands; Cinder is imported for them."""
    from reference.commands import parsers

    return dict(parsers())


def test_each_page_with_commands_for_a_cloud_is_typed_from_end_to_end() -> None:
    of_a_cloud = {"backup-dispatch", "openstack", "curl", "datera-backup"}
    steps = {page: {one.program for one in steps_of(page)} for page in pages()}
    others = {page for page, programs in steps.items() if programs & of_a_cloud}
    others -= {f"docs/{page}.md" for page in WALKS}
    # The reference of a driver, a container's description, and pages with one command, `check`.
    assert others == {
        f"docs/{page}.md"
        for page in ("backup-driver", "commands", "dispatcher", "installation", "volume-driver")
    }
    assert [
        page for page in WALKS if f'"{page}"' not in DEMO_TESTS and page != "first-volumes"
    ] == []


def pages() -> set[str]:
    return {one.page for one in all_commands()}


def test_each_page_of_which_nothing_is_typed_says_why_and_what_was_tried() -> None:
    said = {}
    for page in sorted((ROOT / "docs").rglob("*.md")):
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for reason in re.findall(r"^<!-- not run on this page: (.+) -->$", page.read_text(), re.M):
            assert "\n## What was tried\n" in page.read_text(), name
            said[name] = re.split("[:;]", reason)[0]
    assert said == NOT_HERE


def test_every_openstack_command_on_the_pages_is_typed_by_a_test() -> None:
    in_walks = {one.text for page in WALKS for one in steps_of(f"docs/{page}.md")}
    on_pages = {one.text for one in commands_of("openstack") if not one.why_not}
    assert on_pages - in_walks - ON_REAL_SERVERS == OPENSTACK
    assert on_pages >= ON_REAL_SERVERS
    # What User.token_and_endpoint types is not spelt out.
    spelt = OPENSTACK - {"openstack catalog list", "openstack token issue"}
    assert [one for one in spelt if one not in DEMO_TESTS] == []


def test_what_is_not_run_still_stands_on_a_page() -> None:
    assert {one.text for one in commands_of(*PROGRAMS)} >= NOT_RUN


def test_each_command_of_the_pages_is_typed_by_a_test_or_says_why_not() -> None:
    left = [
        shown(one)
        for one in all_commands()
        if one.program not in LOOKED_AT | PROGRAMS_OF.keys()
        and one.text not in NOT_RUN | COMMANDS_OF.keys()
        and not one.why_not
    ]
    assert not left, "type them in a test, or write before the block: <!-- not run: REASON -->"


def test_the_tests_that_type_commands_are_there_and_so_are_the_commands() -> None:
    for test in {*PROGRAMS_OF.values(), *COMMANDS_OF.values()}:
        assert (ROOT / test).is_file(), test
    assert COMMANDS_OF.keys() <= {one.text for one in all_commands()}


def test_each_reason_not_to_run_stands_before_a_block_of_commands() -> None:
    pages = (ROOT / "docs").rglob("*.md")
    text = "\n".join(one.read_text() for one in pages if "_build" not in one.parts)
    given = re.findall(r"^ *<!-- not run(?: on this page)?: (.+) -->$", text, re.MULTILINE)
    assert {one.why_not for one in all_commands() if one.why_not} == set(given)
