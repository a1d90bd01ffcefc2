# SPDX-License-Identifier: Apache-2.0
"""What is generated from the sources is what they say: nobody edits it, and nobody forgets it."""

from __future__ import annotations

import re
import subprocess
from configparser import ConfigParser, RawConfigParser
from importlib import metadata
from pathlib import Path

import pytest
from oslo_config import cfg

from deploy.files import NAMESPACES, SAMPLE, generated

ROOT = Path(__file__).resolve().parents[3]
ANEW = "make generated"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return generated()


def test_each_generated_file_is_as_the_sources_have_it(files: dict[str, str]) -> None:
    other = [path for path, text in files.items() if (ROOT / path).read_text() != text]
    assert not other, ANEW


def test_no_generated_file_is_left_over(files: dict[str, str]) -> None:
    folders = {(ROOT / path).parent for path in files}
    found = {path for folder in folders for path in folder.iterdir() if path.is_file()}
    assert found == {ROOT / path for path in files}, ANEW


def test_the_sample_is_of_all_our_namespaces_and_no_others() -> None:
    points = metadata.distribution("backup-dispatch").entry_points
    assert {one.name for one in points if one.group == "oslo.config.opts"} == set(NAMESPACES)
    text = (ROOT / SAMPLE).read_text()
    for name in NAMESPACES:
        assert f"# From {name}\n" in text


def test_the_sample_can_be_read_and_sets_nothing() -> None:
    conf = cfg.ConfigOpts()
    conf(args=[], default_config_files=[str(ROOT / SAMPLE)])
    plain = ConfigParser(interpolation=None)
    plain.read(ROOT / SAMPLE)
    assert not plain.defaults()
    assert all(not plain.options(section) for section in plain.sections())


def test_the_sample_s_defaults_are_accepted_when_they_are_set(tmp_path: Path) -> None:
    lines = (ROOT / SAMPLE).read_text().splitlines()
    unset = ("<None>", " =")
    written = [
        line.lstrip("#") if re.match(r"#\w+ = ", line) and not line.endswith(unset) else line
        for line in lines
    ]
    assert len(set(written) - set(lines)) > 30
    path = tmp_path / "cinder.conf"
    path.write_text("\n".join(written))
    conf = cfg.ConfigOpts()
    for point in metadata.entry_points(group="oslo.config.opts"):
        if point.name in NAMESPACES:
            for group, opts in point.load()():
                conf.register_opts(opts, group=None if group == "DEFAULT" else group)
    conf(args=[], default_config_files=[str(path)])
    plain = RawConfigParser(default_section="")
    plain.read(path)
    for section in plain.sections():
        values = conf if section == "DEFAULT" else conf[section]
        assert [name for name in plain.options(section) if values[name] is None] == []


COMPLETED = {
    "backup-dispatch ver": "verify",
    "backup-dispatch --config-file check ver": "verify",
    "backup-dispatch verify --sha": "--share",
    "backup-dispatch list --format = j": "json",
    "backup-dispatch help sal": "salvage",
    "backup-dispatch --config-file setup.c": "setup.cfg",
    "datera-emulator fault add h": "half hang html",
    "datera-emulator serve --state-dir locks": "locks",
    "datera-backup inspect setup.c": "setup.cfg",
}


def test_bash_completes_commands_options_and_values() -> None:
    script = [
        f"source completion/bash/{name}"
        for name in ("backup-dispatch", "datera-backup", "datera-emulator")
    ]
    for line in COMPLETED:
        words = line.split()
        function = f"_{words[0].replace('-', '_')}"
        script.append(f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; {function}")
        script.append('echo "${COMPREPLY[*]}"')
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(script)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert dict(zip(COMPLETED, done.stdout.splitlines(), strict=True)) == COMPLETED
    assert not done.stderr
